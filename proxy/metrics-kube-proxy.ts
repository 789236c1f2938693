// kube-proxy's metrics by its own names, types, labels, buckets and help texts (pkg/proxy/metrics), so that dashboards and alerts go on
// working; which there are depends on the mode, as there. Our own are metrics.ts's.
import type { Family } from '../net/address.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { familyName } from './family-name.ts';
import type { IptablesRules } from './iptables/rule-counts.ts';
import type { SyncDone } from './proxy-loop.ts';
import type { ProxyModeName } from './proxy-mode.ts';
import type { ServicePortCounts } from './service-port-counts.ts';

const prefix = 'kubeproxy_';
const family = 'ip_family' as const;

/** 1 ms to 16 s, doubling. */
const syncBuckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const programmingBuckets = [
  0.25,
  0.5,
  ...steps(1, 1, 59),
  ...steps(60, 5, 12),
  ...steps(120, 30, 7),
] as const;

function steps(first: number, width: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first + i * width);
}

export interface KubeProxyMetrics {
  /** A batch came, with so many services and slices. */
  changes(count: { readonly services: number; readonly slices: number }): void;
  /** All that came is programmed. */
  nothingPending(): void;
  queued(family: Family): void;
  synced(done: SyncDone): void;
  failed(family: Family, full: boolean): void;
  /** Rules that an earlier program left could not be taken away. */
  cleanupFailed(family: Family): void;
  cleaned(family: Family, seconds: number, deleted: number): void;
  health(path: '/healthz' | '/livez', code: 200 | 503): void;
}

export interface KubeProxyMetricsOptions {
  readonly mode: ProxyModeName;
  readonly registry: Metrics;
  readonly families: readonly Family[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly counts: (family: Family) => Pick<ServicePortCounts, 'noLocalInternal' | 'noLocalExternal'>;
  /** Where the mode counts them. */
  readonly iptablesRules?: (family: Family) => IptablesRules | undefined;
}

export function createKubeProxyMetrics(options: KubeProxyMetricsOptions): KubeProxyMetrics {
  const { mode, registry, families, now, counts } = options;
  const startedAt = now();
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    registry.histogram({ prefix, name, help, buckets, labels: [family] });
  const gauge = (name: string, help: string) => registry.gauge({ prefix, name, help });
  const byFamily = (name: string, help: string) => registry.gauge({ prefix, name, help, labels: [family] });
  const counter = (name: string, help: string) => registry.counter({ prefix, name, help });
  const counterByFamily = (name: string, help: string) => {
    const made = registry.counter({ prefix, name, help, labels: [family] });
    for (const one of families) made.inc({ [family]: familyName(one) }, 0);
    return made;
  };

  const duration = histogram(
    'sync_proxy_rules_duration_seconds',
    'SyncProxyRules latency in seconds',
    syncBuckets,
  );
  const full = histogram(
    'sync_full_proxy_rules_duration_seconds',
    'SyncProxyRules latency in seconds for full resyncs',
    syncBuckets,
  );
  const partial = histogram(
    'sync_partial_proxy_rules_duration_seconds',
    'SyncProxyRules latency in seconds for partial resyncs',
    syncBuckets,
  );
  const lastSync = byFamily(
    'sync_proxy_rules_last_timestamp_seconds',
    'The last time proxy rules were successfully synced',
  );
  const lastQueued = byFamily(
    'sync_proxy_rules_last_queued_timestamp_seconds',
    'The last time a sync of proxy rules was queued',
  );
  const programming = histogram(
    'network_programming_duration_seconds',
    'In Cluster Network Programming Latency in seconds',
    programmingBuckets,
  );
  const slicesPending = gauge(
    'sync_proxy_rules_endpoint_changes_pending',
    'Pending proxy rules Endpoint changes',
  );
  const slicesTotal = counter(
    'sync_proxy_rules_endpoint_changes_total',
    'Cumulative proxy rules Endpoint changes',
  );
  const servicesPending = gauge(
    'sync_proxy_rules_service_changes_pending',
    'Pending proxy rules Service changes',
  );
  const servicesTotal = counter(
    'sync_proxy_rules_service_changes_total',
    'Cumulative proxy rules Service changes',
  );
  registry.gauge({
    prefix,
    name: 'sync_proxy_rules_no_local_endpoints_total',
    help: 'Number of services with a Local traffic policy and no endpoints',
    labels: ['traffic_policy', family],
    collect(made) {
      for (const one of families) {
        const { noLocalInternal, noLocalExternal } = counts(one);
        made.set({ traffic_policy: 'internal', [family]: familyName(one) }, noLocalInternal);
        made.set({ traffic_policy: 'external', [family]: familyName(one) }, noLocalExternal);
      }
    },
  });
  const flowSeconds = histogram(
    'conntrack_reconciler_sync_duration_seconds',
    'ReconcileConntrackFlowsLatency latency in seconds',
    syncBuckets,
  );
  const flows = counterByFamily(
    'conntrack_reconciler_deleted_entries_total',
    'Cumulative conntrack flows deleted by conntrack reconciler',
  );
  const answers = {
    '/healthz': registry.counter({
      prefix,
      name: 'proxy_healthz_total',
      help: 'Cumulative proxy healthz HTTP status',
      labels: ['code'],
    }),
    '/livez': registry.counter({
      prefix,
      name: 'proxy_livez_total',
      help: 'Cumulative proxy livez HTTP status',
      labels: ['code'],
    }),
  };
  const ofMode =
    mode === 'iptables'
      ? {
          failures: counterByFamily(
            'sync_proxy_rules_iptables_restore_failures_total',
            'Cumulative proxy iptables restore failures',
          ),
          partialFailures: counterByFamily(
            'sync_proxy_rules_iptables_partial_restore_failures_total',
            'Cumulative proxy iptables partial restore failures',
          ),
        }
      : mode === 'ipvs'
        ? {
            failures: counterByFamily(
              'sync_proxy_rules_iptables_restore_failures_total',
              'Cumulative proxy iptables restore failures',
            ),
          }
        : {
            failures: counterByFamily(
              'sync_proxy_rules_nftables_sync_failures_total',
              'Cumulative proxy nftables sync failures',
            ),
            cleanupFailures: counterByFamily(
              'sync_proxy_rules_nftables_cleanup_failures_total',
              'Cumulative proxy nftables cleanup failures',
            ),
          };
  if (mode === 'iptables') declareRules(options);

  return {
    changes({ services, slices }) {
      if (services > 0) {
        servicesPending.inc(services);
        servicesTotal.inc(services);
      }
      if (slices > 0) {
        slicesPending.inc(slices);
        slicesTotal.inc(slices);
      }
    },
    nothingPending() {
      servicesPending.set(0);
      slicesPending.set(0);
    },
    queued: (one) => lastQueued.set({ [family]: familyName(one) }, now() / 1000),
    synced(done) {
      const labels = { [family]: familyName(done.family) };
      const seconds = done.milliseconds / 1000;
      const time = now();
      duration.observe(labels, seconds);
      (done.report.full ? full : partial).observe(labels, seconds);
      lastSync.set(labels, time / 1000);
      for (const at of done.triggeredAt) {
        // What was changed before the start did not wait for us.
        if (at >= startedAt) programming.observe(labels, Math.max(0, time - at) / 1000);
      }
    },
    failed(one, isFull) {
      const labels = { [family]: familyName(one) };
      ofMode.failures.inc(labels);
      if (!isFull) ofMode.partialFailures?.inc(labels);
    },
    cleanupFailed: (one) => ofMode.cleanupFailures?.inc({ [family]: familyName(one) }),
    cleaned(one, seconds, deleted) {
      flowSeconds.observe({ [family]: familyName(one) }, seconds);
      if (deleted > 0) flows.inc({ [family]: familyName(one) }, deleted);
    },
    health: (path, code) => answers[path].inc({ code: String(code) }),
  };
}

function declareRules({ registry, families, iptablesRules }: KubeProxyMetricsOptions): void {
  const declare = (
    name: string,
    help: string,
    counts: (rules: IptablesRules) => ReadonlyMap<string, number>,
  ) =>
    registry.gauge({
      prefix,
      name,
      help,
      labels: ['table', family],
      collect(gauge) {
        for (const one of families) {
          const rules = iptablesRules?.(one);
          for (const [table, count] of rules === undefined ? [] : counts(rules))
            gauge.set({ table, [family]: familyName(one) }, count);
        }
      },
    });
  declare(
    'sync_proxy_rules_iptables_total',
    'Total number of iptables rules owned by kube-proxy',
    ({ total }) => total,
  );
  declare(
    'sync_proxy_rules_iptables_last',
    'Number of iptables rules written by kube-proxy in last sync',
    ({ last }) => last,
  );
}
