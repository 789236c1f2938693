// The packet table with real packets in IPVS mode, which needs a kernel that has IPVS: a file of its own for virtual machines.
import { jest } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';
import { workingModes } from './real-modes.ts';
import { sendEveryRow } from './send-every-row.ts';

refuseRoot();
// Minutes in a virtual machine.
jest.setTimeout(900_000);

sendEveryRow((await workingModes()).filter((name) => name === 'ipvs'));
