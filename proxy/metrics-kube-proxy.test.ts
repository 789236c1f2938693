import { describe, expect, test } from '@jest/globals';
import { createMetrics } from '../runtime/metrics.ts';
import { createKubeProxyMetrics } from './metrics-kube-proxy.ts';
import type { SyncDone } from './proxy-loop.ts';
import type { ProxyModeName } from './proxy-mode.ts';

const start = 1_700_000_000_000;

function counted(mode: ProxyModeName) {
  const registry = createMetrics();
  let now = start;
  const metrics = createKubeProxyMetrics({
    mode,
    registry,
    families: [4, 6],
    now: () => now,
    counts: (family) => ({ noLocalInternal: family, noLocalExternal: 0 }),
    iptablesRules: (family) =>
      family === 4 ? { total: new Map([['nat', 40]]), last: new Map([['nat', 3]]) } : undefined,
  });
  return {
    metrics,
    registry,
    wait(milliseconds: number) {
      now += milliseconds;
    },
  };
}

const done: SyncDone = {
  family: 4,
  report: { full: false, changes: 1, failed: new Map() },
  changed: new Set(['ns/a/tcp']),
  milliseconds: 3,
  heardAt: 0,
  triggeredAt: [],
  udp: new Set(),
  mended: false,
};

async function types(mode: ProxyModeName): Promise<readonly string[]> {
  const text = await counted(mode).registry.text();
  return [...text.matchAll(/^# TYPE kubeproxy_(.*)$/gm)].map(([, declared = '']) => declared).sort();
}

const ofAllModes = [
  'conntrack_reconciler_deleted_entries_total counter',
  'conntrack_reconciler_sync_duration_seconds histogram',
  'network_programming_duration_seconds histogram',
  'proxy_healthz_total counter',
  'proxy_livez_total counter',
  'sync_full_proxy_rules_duration_seconds histogram',
  'sync_partial_proxy_rules_duration_seconds histogram',
  'sync_proxy_rules_duration_seconds histogram',
  'sync_proxy_rules_endpoint_changes_pending gauge',
  'sync_proxy_rules_endpoint_changes_total counter',
  'sync_proxy_rules_last_queued_timestamp_seconds gauge',
  'sync_proxy_rules_last_timestamp_seconds gauge',
  'sync_proxy_rules_no_local_endpoints_total gauge',
  'sync_proxy_rules_service_changes_pending gauge',
  'sync_proxy_rules_service_changes_total counter',
];

describe('names and types', () => {
  test.each([
    [
      'iptables',
      [
        'sync_proxy_rules_iptables_last gauge',
        'sync_proxy_rules_iptables_partial_restore_failures_total counter',
        'sync_proxy_rules_iptables_restore_failures_total counter',
        'sync_proxy_rules_iptables_total gauge',
      ],
    ],
    [
      'nftables',
      [
        'sync_proxy_rules_nftables_cleanup_failures_total counter',
        'sync_proxy_rules_nftables_sync_failures_total counter',
      ],
    ],
    ['ipvs', ['sync_proxy_rules_iptables_restore_failures_total counter']],
  ] as const)('%s', async (mode, own) => {
    expect(await types(mode)).toEqual([...ofAllModes, ...own].sort());
  });
});

test('a sync, by family', async () => {
  const { metrics, registry, wait } = counted('nftables');
  metrics.changes({ services: 2, slices: 3 });
  wait(1500);
  metrics.queued(4);
  wait(500);
  metrics.synced({ ...done, triggeredAt: [start + 1000, start - 1] });
  metrics.synced({ ...done, family: 6, milliseconds: 20_000, report: { ...done.report, full: true } });
  const before = await registry.text();
  for (const line of [
    'sync_proxy_rules_duration_seconds_bucket{le="0.002",ip_family="IPv4"} 0',
    'sync_proxy_rules_duration_seconds_bucket{le="0.004",ip_family="IPv4"} 1',
    'sync_proxy_rules_duration_seconds_bucket{le="16.384",ip_family="IPv6"} 0',
    'sync_proxy_rules_duration_seconds_bucket{le="+Inf",ip_family="IPv6"} 1',
    'sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv4"} 1',
    'sync_full_proxy_rules_duration_seconds_count{ip_family="IPv6"} 1',
    'sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1700000002',
    'sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv4"} 1700000001.5',
    'network_programming_duration_seconds_bucket{le="0.5",ip_family="IPv4"} 0',
    'network_programming_duration_seconds_bucket{le="1",ip_family="IPv4"} 1',
    'network_programming_duration_seconds_bucket{le="300",ip_family="IPv4"} 1',
    'network_programming_duration_seconds_count{ip_family="IPv4"} 1',
    'sync_proxy_rules_service_changes_pending 2',
    'sync_proxy_rules_endpoint_changes_pending 3',
    'sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal",ip_family="IPv6"} 6',
    'sync_proxy_rules_no_local_endpoints_total{traffic_policy="external",ip_family="IPv4"} 0',
  ]) {
    expect(before).toContain(`\nkubeproxy_${line}\n`);
  }
  metrics.nothingPending();
  metrics.changes({ services: 0, slices: 1 });
  const after = await registry.text();
  expect(after).toContain('\nkubeproxy_sync_proxy_rules_service_changes_pending 0\n');
  expect(after).toContain('\nkubeproxy_sync_proxy_rules_endpoint_changes_pending 1\n');
  expect(after).toContain('\nkubeproxy_sync_proxy_rules_endpoint_changes_total 4\n');
});

test('buckets of network programming', async () => {
  const { metrics, registry } = counted('nftables');
  metrics.synced({ ...done, triggeredAt: [start] });
  const bounds = [...(await registry.text()).matchAll(/network_programming_\w+_bucket{le="([^"]+)"/g)].map(
    ([, bound]) => bound,
  );
  expect(bounds).toHaveLength(2 + 59 + 12 + 7 + 1);
  expect([...bounds.slice(0, 4), ...bounds.slice(-4)]).toEqual([
    ...['0.25', '0.5', '1', '2'],
    ...['240', '270', '300', '+Inf'],
  ]);
});

test('failures, flows and health answers', async () => {
  const ipt = counted('iptables');
  ipt.metrics.failed(4, true);
  ipt.metrics.failed(4, false);
  ipt.metrics.cleaned(6, 0.5, 3);
  ipt.metrics.health('/healthz', 503);
  ipt.metrics.health('/livez', 200);
  const text = await ipt.registry.text();
  for (const line of [
    'sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"} 2',
    'sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv6"} 0',
    'sync_proxy_rules_iptables_partial_restore_failures_total{ip_family="IPv4"} 1',
    'sync_proxy_rules_iptables_total{table="nat",ip_family="IPv4"} 40',
    'sync_proxy_rules_iptables_last{table="nat",ip_family="IPv4"} 3',
    'conntrack_reconciler_deleted_entries_total{ip_family="IPv6"} 3',
    'conntrack_reconciler_sync_duration_seconds_sum{ip_family="IPv6"} 0.5',
    'proxy_healthz_total{code="503"} 1',
    'proxy_livez_total{code="200"} 1',
  ]) {
    expect(text).toContain(`\nkubeproxy_${line}\n`);
  }
  const nft = counted('nftables');
  nft.metrics.failed(6, true);
  nft.metrics.cleanupFailed(4);
  const nftText = await nft.registry.text();
  expect(nftText).toContain(
    '\nkubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv6"} 1\n',
  );
  expect(nftText).toContain(
    '\nkubeproxy_sync_proxy_rules_nftables_cleanup_failures_total{ip_family="IPv4"} 1\n',
  );
});
