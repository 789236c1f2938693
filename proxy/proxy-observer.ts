// What hears of every sync of a running proxy: its health and its metrics. It changes nothing.
import type { Family } from '../net/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { createMetrics, type Metrics } from '../runtime/metrics.ts';
import type { ServiceBatch } from '../store/service-source.ts';
import type { FamilyProxy } from './family-proxy.ts';
import type { ProxyHealth } from './healthz.ts';
import { createProxyMetrics } from './metrics.ts';
import { createKubeProxyMetrics, type KubeProxyMetrics } from './metrics-kube-proxy.ts';
import { createTrafficMetrics } from './metrics-service-traffic.ts';
import type { LoopListener } from './proxy-loop.ts';
import type { ProxyOptions } from './proxy-options.ts';

export interface ProxyObserver {
  readonly metrics: Metrics;
  readonly listener: LoopListener;
  batch(batch: ServiceBatch): void;
  readonly healthAnswer: KubeProxyMetrics['health'];
  readonly cleaned: KubeProxyMetrics['cleaned'];
  readonly cleanupFailed: KubeProxyMetrics['cleanupFailed'];
}

export interface ProxyObserverOptions {
  readonly options: Pick<ProxyOptions, 'mode' | 'families' | 'serviceCounterLimit'>;
  readonly clock: Clock;
  readonly health: Pick<ProxyHealth, 'queued' | 'updated'>;
  /** Filled when they are opened. */
  readonly families: readonly FamilyProxy[];
  /** How many. */
  readonly problems: () => number;
  /** After all that is counted. */
  readonly onSynced: () => void;
}

export function createProxyObserver(input: ProxyObserverOptions): ProxyObserver {
  const { options, clock, health, families, problems, onSynced } = input;
  const metrics = createMetrics({ process: true });
  const find = (family: Family) => families.find((one) => one.family === family);
  const noCounts = { services: 0, endpoints: 0, noLocalInternal: 0, noLocalExternal: 0 };
  const counts = (family: Family) => find(family)?.tracker.counts ?? noCounts;
  const kube = createKubeProxyMetrics({
    mode: options.mode,
    registry: metrics,
    families: options.families,
    now: clock.now,
    counts,
    iptablesRules: (family) => find(family)?.rules(),
  });
  const own = createProxyMetrics({
    registry: metrics,
    families: options.families,
    states: () => families.map(({ loop }) => loop.state),
    counts,
    problems,
  });
  createTrafficMetrics({
    registry: metrics,
    limit: options.serviceCounterLimit,
    read: () => families.flatMap(({ traffic }) => [...traffic()]),
    services: () =>
      new Set(
        families.flatMap(({ tracker }) =>
          [...tracker.ports.values()].map(({ namespace, service }) => `${namespace}/${service}`),
        ),
      ),
  });

  return {
    metrics,
    batch: ({ services, slices }) => kube.changes({ services: services.size, slices: slices.size }),
    healthAnswer: kube.health,
    cleaned: kube.cleaned,
    cleanupFailed: kube.cleanupFailed,
    listener: {
      queued(family) {
        health.queued(family);
        kube.queued(family);
      },
      synced(done) {
        health.updated(done.family);
        kube.synced(done);
        own.synced(done);
        if (families.every(({ loop }) => loop.pending === 0)) kube.nothingPending();
        onSynced();
      },
      failed: (family, { full }) => kube.failed(family, full),
    },
  };
}
