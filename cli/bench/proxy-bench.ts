// `netloom bench proxy`: what services cost, by number of services: to load, to change one endpoint, to start anew, in memory and for the
// first packet. In nftables mode and in iptables mode, beside `nft -f` and iptables-restore of the same and of kube-proxy's texts.
import { execute } from '../../kernel/exec.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { Bench, BenchRow } from './bench.ts';
import { daemonCases } from './proxy-daemon-cases.ts';
import { iptablesCases } from './proxy-iptables-cases.ts';
import { latencyCase } from './proxy-latency-case.ts';
import type { ProxyMeasuring, ProxyPoint } from './proxy-measuring.ts';
import { mostForKubeProxy, nftablesCases } from './proxy-nftables-cases.ts';
import { proxyPlot } from './proxy-plot.ts';
import type { Amount } from './proxy-services.ts';

/** Cluster IPs are 10.0.0.0/9, and endpoints must fit into a quarter of that. */
const mostServices = 100_000;
const steps = [1000, 10_000, 50_000];
/** More take iptables-nft minutes. */
const mostInIptables = 5000;
/** Few services with many endpoints, where there are as many in all. */
const wide: Amount = { services: 100, endpoints: 1000 };

export const proxyBench: Bench = {
  name: 'proxy',
  summary: `the service proxy with 1,000 to SIZE services; beside nft -f, iptables-restore and kube-proxy's layouts`,
  size: 10_000,
  hasPlot: true,
  async run(options) {
    const { size, progress } = options;
    if (size > mostServices)
      throw new RangeError(`Cannot make ${size} services: at most ${mostServices} have addresses`);
    const rows: BenchRow[] = [];
    const points: ProxyPoint[] = [];
    const measuring = { ...options, rows, mark: (point: ProxyPoint) => void points.push(point) };
    if (size > mostForKubeProxy)
      progress(
        `kube-proxy's nftables layout only up to ${mostForKubeProxy} services: it takes minutes beyond`,
      );
    if (await isKubeProxyThere())
      progress('kube-proxy itself is not measured: it needs an API server; its texts are');
    for (const services of sizesUpTo(size)) await nftablesMode(measuring, { services, endpoints: 3 });
    if (size >= mostForKubeProxy) await each(measuring, [() => nftablesCases(measuring, wide)]);
    for (const services of sizesUpTo(Math.min(size, mostInIptables)))
      await iptablesMode(measuring, { services, endpoints: 3 });
    if (points.length === 0) throw new Error('Nothing could be measured: see above');
    options.onPlot?.(proxyPlot(points, { note: options.note }));
    return rows;
  },
};

function sizesUpTo(size: number): readonly number[] {
  return [...steps.filter((step) => step < size), size];
}

async function nftablesMode(measuring: ProxyMeasuring, amount: Amount): Promise<void> {
  await each(measuring, [
    () => nftablesCases(measuring, amount),
    () => daemonCases(measuring, amount),
    () => latencyCase(measuring, { amount, by: { kind: 'nftables' } }),
  ]);
}

async function iptablesMode(measuring: ProxyMeasuring, amount: Amount): Promise<void> {
  await each(measuring, [
    () => iptablesCases(measuring, amount),
    () => latencyCase(measuring, { amount, by: { kind: 'iptables', variant: 'nft' } }),
  ]);
}

/** What cannot be measured is said, and the rest goes on: minutes of other figures are not to be lost. */
async function each(
  { progress, signal }: ProxyMeasuring,
  cases: readonly (() => Promise<void>)[],
): Promise<void> {
  for (const one of cases) {
    try {
      await one();
    } catch (error) {
      signal.throwIfAborted();
      progress(`not measured: ${errorMessage(error)}`);
    }
  }
}

async function isKubeProxyThere(): Promise<boolean> {
  try {
    await execute(['kube-proxy', '--version']);
    return true;
  } catch {
    return false;
  }
}
