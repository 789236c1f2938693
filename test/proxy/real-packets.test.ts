// The packet table with real packets in the modes that the development machines' kernel has. IPVS is ipvs-packets.test.ts.
import { jest } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';
import { workingModes } from './real-modes.ts';
import { sendEveryRow } from './send-every-row.ts';

refuseRoot();
jest.setTimeout(120_000);

sendEveryRow((await workingModes()).filter((name) => name !== 'ipvs'));
