// `netloom bench ipvs`: what services cost in the proxy's IPVS mode, by number of services: to load, to change one endpoint, to come and go,
// to start anew, and for the first packet. Beside ipvsadm, ip and ipset. Needs a kernel with IPVS, as one of scripts/vm.
import { execute } from '../../kernel/exec.ts';
import { setLoopback } from '../../kernel/route/set-loopback.ts';
import type { Bench, BenchRow } from './bench.ts';
import { type BenchNetns, openBenchNetns } from './bench-netns.ts';
import { rowsOf, sampleInTurn, timed, type Way } from './compare-in-turn.ts';
import { type IpvsTexts, ipvsChange, ipvsTexts } from './ipvs-peers.ts';
import { latencyCase } from './proxy-latency-case.ts';
import type { ProxyMeasuring } from './proxy-measuring.ts';
import { openRig, type Rig } from './proxy-rig.ts';
import {
  casePrefix,
  changeRows,
  changing,
  restartCase,
  serviceCases,
  spreadOver,
} from './proxy-rig-cases.ts';
import { type Amount, wholeBatch } from './proxy-services.ts';

/** Cluster IPs are all in one set of ours, whose peer is made for so many. */
const mostServices = 65_536;
const steps = [1000, 10_000];
/** A load takes seconds. */
const mostLoads = 3;
const by = { kind: 'ipvs' } as const;

export const ipvsBench: Bench = {
  name: 'ipvs',
  summary:
    "the service proxy's IPVS mode with 1,000 to SIZE services; beside ipvsadm -R, ip -batch and ipset restore",
  size: 10_000,
  async run(options) {
    const { size, progress } = options;
    if (size > mostServices)
      throw new RangeError(`Cannot make ${size} services: at most ${mostServices} fit into a set of ipset`);
    const rows: BenchRow[] = [];
    const measuring: ProxyMeasuring = { ...options, rows, mark: () => undefined };
    const tools = await tellMissing(progress);
    for (const services of [...steps.filter((step) => step < size), size]) {
      const amount = { services, endpoints: 3 };
      await loadCase(measuring, { amount, tools });
      await using home = openIpvsNetns();
      await using rig = await openRig(home.netns, by);
      await rig.load(wholeBatch(amount));
      await changeCase(measuring, { amount, rig, tools });
      await serviceCases(measuring, { amount, rig, by });
      await restartCase(measuring, { amount, by, home });
      await latencyCase(measuring, { amount, by });
    }
    return rows;
  },
};

interface Tools {
  readonly ipvsadm: boolean;
  readonly ipset: boolean;
}

async function tellMissing(progress: (text: string) => void): Promise<Tools> {
  const [ipvsadm, ipset] = await Promise.all([answers(['ipvsadm', '--version']), answers(['ipset', '-v'])]);
  if (!ipvsadm) progress('not beside ipvsadm: it is not on this machine');
  if (!ipset) progress('not beside ipset: it is not on this machine');
  return { ipvsadm, ipset };
}

async function answers(command: readonly [string, ...string[]]): Promise<boolean> {
  try {
    await execute(command);
    return true;
  } catch {
    return false;
  }
}

async function loadCase(
  { progress, rows, runs, signal }: ProxyMeasuring,
  { amount, tools }: { readonly amount: Amount; readonly tools: Tools },
): Promise<void> {
  const name = `${casePrefix(amount, by)}full load, from parsed objects`;
  progress(name);
  const texts = ipvsTexts(amount);
  const ours: Way = {
    async sample() {
      await using home = openIpvsNetns();
      await using rig = await openRig(home.netns, by);
      const batch = wholeBatch(amount);
      return await timed(() => rig.load(batch));
    },
  };
  const theirs = (peer: string, work: (home: BenchNetns, texts: IpvsTexts) => Promise<void>): Way => ({
    peer,
    async sample() {
      await using home = openIpvsNetns();
      return await timed(() => work(home, texts));
    },
  });
  const peers = [
    ...(tools.ipvsadm ? [theirs('ipvsadm -R', restoreServers)] : []),
    ...(tools.ipvsadm && tools.ipset
      ? [
          theirs('ipvsadm -R, ip -batch, ipset restore', async (home, all) => {
            await restoreServers(home, all);
            await run(home, ['ip', '-batch', '-'], all.addresses);
            await run(home, ['ipset', 'restore'], all.sets);
          }),
        ]
      : []),
  ];
  const samples = await sampleInTurn([ours, ...peers], { runs: Math.min(runs, mostLoads), signal });
  rows.push(...rowsOf(name, samples));
}

/** In a namespace without any address the kernel takes no real server. */
function openIpvsNetns(): BenchNetns {
  const home = openBenchNetns();
  setLoopback(home.netns, true);
  return home;
}

async function restoreServers(home: BenchNetns, { servers }: IpvsTexts): Promise<void> {
  await run(home, ['ipvsadm', '-R'], servers);
}

async function run(
  { netns }: BenchNetns,
  command: readonly [string, ...string[]],
  input: string,
): Promise<void> {
  await execute(command, { netns, input, timeout: 300_000 });
}

async function changeCase(
  { progress, rows, runs, signal }: ProxyMeasuring,
  { amount, rig, tools }: { readonly amount: Amount; readonly rig: Rig; readonly tools: Tools },
): Promise<void> {
  const name = `${casePrefix(amount, by)}one endpoint changed, tracker to kernel`;
  progress(name);
  await using theirs = openIpvsNetns();
  if (tools.ipvsadm) await restoreServers(theirs, ipvsTexts(amount));
  const peer = spreadOver(amount);
  const samples = await sampleInTurn(
    [
      changing(rig, amount),
      ...(tools.ipvsadm
        ? [
            {
              peer: 'ipvsadm -R',
              async sample() {
                const { number, turn } = peer();
                const text = ipvsChange(number, { amount, moved: turn });
                return await timed(() => run(theirs, ['ipvsadm', '-R'], text));
              },
            },
          ]
        : []),
    ],
    { runs, signal },
  );
  rows.push(...changeRows(name, samples));
}
