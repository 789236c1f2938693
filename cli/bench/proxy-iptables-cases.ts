// The cases of the proxy's iptables mode: full load and one change, beside iptables-restore of what kube-proxy writes. By the variants
// of iptables that are on this machine.
import { execute } from '../../kernel/exec.ts';
import type { IptablesVariant } from '../../kernel/iptables/driver.ts';
import { type BenchNetns, isInstalled, openBenchNetns } from './bench-netns.ts';
import { rowsOf, sampleInTurn, timed } from './compare-in-turn.ts';
import { type KubeProxyText, kubeProxyText } from './iptables-peer.ts';
import { median } from './paired.ts';
import type { ProxyMeasuring, ProxySeries } from './proxy-measuring.ts';
import { openRig } from './proxy-rig.ts';
import { type Amount, amountText, changeBatch, wholeBatch } from './proxy-services.ts';

/** A load takes seconds. */
const mostLoads = 2;

export async function iptablesCases(measuring: ProxyMeasuring, amount: Amount): Promise<void> {
  for (const variant of ['nft', 'legacy'] as const) {
    if (!(await isInstalled(`iptables-${variant}`))) continue;
    await loadCase(measuring, { amount, variant });
    await changeCase(measuring, { amount, variant });
  }
}

interface Case {
  readonly amount: Amount;
  readonly variant: IptablesVariant;
}

async function loadCase(
  { progress, rows, mark, runs, signal }: ProxyMeasuring,
  { amount, variant }: Case,
): Promise<void> {
  const name = `${amountText(amount)}: iptables-${variant}, full load`;
  progress(name);
  const peer = `iptables-restore of kube-proxy's text`;
  let text: KubeProxyText | undefined;
  const samples = await sampleInTurn(
    [
      {
        async sample() {
          await using home = openBenchNetns();
          await using rig = await openRig(home.netns, { kind: 'iptables', variant });
          const batch = wholeBatch(amount);
          const time = await timed(() => rig.load(batch));
          text ??= kubeProxyText([...rig.tracker.ports.values()]);
          return time;
        },
      },
      {
        peer,
        async sample() {
          await using home = openBenchNetns();
          const restore = restoring(home, variant);
          if (text === undefined) throw new TypeError('There is no text yet');
          const { jumps, load } = text;
          await restore(jumps);
          return await timed(() => restore(load));
        },
      },
    ],
    { runs: Math.min(runs, mostLoads), signal },
  );
  rows.push(...rowsOf(name, samples));
  markAll(mark, { what: 'load', amount, variant, samples });
}

/** As kube-proxy runs it, with more patience than our own mode has. */
function restoring(home: BenchNetns, variant: string): (text: string) => Promise<void> {
  return async (input) => {
    const command = [`iptables-${variant}-restore`, '-w', '5', '--noflush', '--counters'] as const;
    await execute(command, { netns: home.netns, input, timeout: 300_000 });
  };
}

async function changeCase(
  { progress, rows, mark, runs, signal }: ProxyMeasuring,
  { amount, variant }: Case,
): Promise<void> {
  const name = `${amountText(amount)}: iptables-${variant}, one endpoint changed`;
  progress(name);
  await using mine = openBenchNetns();
  await using theirs = openBenchNetns();
  await using rig = await openRig(mine.netns, { kind: 'iptables', variant });
  await rig.load(wholeBatch(amount));
  const peer = kubeProxyText([...rig.tracker.ports.values()]);
  const restore = restoring(theirs, variant);
  await restore(peer.jumps);
  await restore(peer.load);
  const key = 'bench/service-0:http/tcp';
  let moved = false;
  const samples = await sampleInTurn(
    [
      {
        async sample() {
          moved = !moved;
          const batch = changeBatch(0, { amount, moved });
          return await timed(() => rig.take(batch));
        },
      },
      {
        peer: "kube-proxy's partial restore",
        async sample() {
          const port = rig.tracker.ports.get(key);
          if (port === undefined) throw new RangeError(`There is no port "${key}"`);
          const text = peer.change(port);
          return await timed(() => restore(text));
        },
      },
    ],
    { runs, signal },
  );
  rows.push(...rowsOf(name, samples));
  markAll(mark, { what: 'change', amount, variant, samples });
}

/** The plot has the variant that is the default everywhere. */
function markAll(
  mark: ProxyMeasuring['mark'],
  of: Case & {
    readonly what: 'load' | 'change';
    readonly samples: Awaited<ReturnType<typeof sampleInTurn>>;
  },
): void {
  if (of.variant !== 'nft') return;
  for (const { peer, values } of of.samples) {
    const series: ProxySeries = peer === undefined ? 'ours-iptables' : 'kube-proxy-iptables';
    mark({ what: of.what, series, amount: of.amount, milliseconds: median(values) });
  }
}
