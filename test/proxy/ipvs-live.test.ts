// Services under real traffic in IPVS mode, and while all modes take turns, which needs a kernel that has IPVS: for virtual machines.
import { jest } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';
import { liveTraffic } from './live-traffic.ts';
import { workingModes } from './real-modes.ts';

refuseRoot();
// Minutes in a virtual machine.
jest.setTimeout(900_000);

const turns = await workingModes();
if (turns.includes('ipvs')) liveTraffic({ modes: ['ipvs'], turns });
