// Services under real traffic in the modes that the development machines' kernel has. IPVS is ipvs-live.test.ts.
import { jest } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';
import { liveTraffic } from './live-traffic.ts';
import { workingModes } from './real-modes.ts';

refuseRoot();
jest.setTimeout(60_000);

const modes = (await workingModes()).filter((name) => name !== 'ipvs');
liveTraffic({ modes, turns: modes });
