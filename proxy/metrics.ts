// What the proxy counts beside kube-proxy's own metrics, in Prometheus' terms. Declared once for a registry; fed from the loops.
import type { Family } from '../net/address.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { familyName } from './family-name.ts';
import type { FamilyState, SyncDone } from './proxy-loop.ts';

export interface ProxyMetrics {
  synced(done: SyncDone): void;
}

type MeasuredState = Pick<FamilyState, 'family' | 'ports' | 'failed'>;

export interface ProxyMetricsOptions {
  readonly registry: Metrics;
  readonly families: readonly Family[];
  readonly states: () => readonly MeasuredState[];
  /** How many services and endpoints the proxy knows in a family. */
  readonly counts: (family: Family) => { readonly services: number; readonly endpoints: number };
  readonly problems: () => number;
}

/** From 0.1 ms: an endpoint that changes among 50,000 services is to be programmed in less than one. */
const eventBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10];

export function createProxyMetrics(options: ProxyMetricsOptions): ProxyMetrics {
  const { registry, families, states, counts, problems } = options;
  const perFamily = (name: string, help: string, value: (state: MeasuredState) => number): void => {
    registry.gauge({
      name: `proxy_${name}`,
      help,
      labels: ['family'],
      collect(gauge) {
        for (const state of states()) gauge.set({ family: familyName(state.family) }, value(state));
      },
    });
  };
  perFamily('services', 'Services that this node answers for', ({ family }) => counts(family).services);
  perFamily('ports', 'Ports of these services', ({ ports }) => ports.size);
  perFamily('endpoints', 'Endpoints of all services', ({ family }) => counts(family).endpoints);
  perFamily('failed_ports', 'Service ports that could not be programmed', ({ failed }) => failed.size);
  registry.gauge({
    name: 'proxy_problems',
    help: 'What is wrong with services and their files, and with what serves them',
    collect: (gauge) => gauge.set(problems()),
  });
  const mended = registry.counter({
    name: 'proxy_foreign_changes_mended_total',
    help: 'How often rules were put back after somebody else changed them',
    labels: ['family'],
  });
  for (const family of families) mended.inc({ family: familyName(family) }, 0);
  const changes = registry.counter({
    name: 'proxy_kernel_changes_total',
    help: 'Elements, rules and chains changed in the kernel',
    labels: ['family'],
  });
  const eventSeconds = registry.histogram({
    name: 'proxy_event_to_kernel_seconds',
    help: 'From the moment a change of a service or its endpoints was heard of until the kernel had it',
    buckets: eventBuckets,
    labels: ['family'],
  });

  return {
    synced({ family, report, heardAt, mended: isMended }) {
      const labels = { family: familyName(family) };
      if (isMended) mended.inc(labels);
      if (report.changes > 0) changes.inc(labels, report.changes);
      if (heardAt !== undefined) eventSeconds.observe(labels, (performance.now() - heardAt) / 1000);
    },
  };
}
