// What the cases of the proxy's benchmark share: where rows go, and the points of its plot.
import type { BenchOptions, BenchRow } from './bench.ts';
import type { Amount } from './proxy-services.ts';

/** A figure that is drawn: cost against size. */
export interface ProxyPoint {
  readonly what: 'load' | 'change';
  readonly series: ProxySeries;
  readonly amount: Amount;
  readonly milliseconds: number;
}

export type ProxySeries = 'ours' | 'nft' | 'kube-proxy' | 'ours-iptables' | 'kube-proxy-iptables';

export interface ProxyMeasuring extends Pick<BenchOptions, 'runs' | 'signal' | 'progress'> {
  readonly rows: BenchRow[];
  readonly mark: (point: ProxyPoint) => void;
}
