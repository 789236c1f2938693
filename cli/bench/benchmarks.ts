// The benchmarks by name, as `netloom bench NAME` finds them.
import { agentBench } from './agent-bench.ts';
import type { Bench } from './bench.ts';
import { cniBench } from './cni-bench.ts';
import { ipvsBench } from './ipvs-bench.ts';
import { kernelBench } from './kernel-bench.ts';
import { pathBench } from './path/path-bench.ts';
import { proxyBench } from './proxy-bench.ts';
import { storesBench } from './scale/stores-bench.ts';

export const benchmarks: ReadonlyMap<string, Bench> = new Map(
  [kernelBench, agentBench, cniBench, proxyBench, ipvsBench, pathBench, storesBench].map((bench) => [
    bench.name,
    bench,
  ]),
);
