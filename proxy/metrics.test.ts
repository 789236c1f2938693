import { expect, test } from '@jest/globals';
import { createMetrics } from '../runtime/metrics.ts';
import { createProxyMetrics } from './metrics.ts';
import type { SyncDone } from './proxy-loop.ts';
import { samplePort } from './sample-services.ts';

test('what there is, and what was done', async () => {
  const registry = createMetrics();
  const port = samplePort();
  const metrics = createProxyMetrics({
    registry,
    families: [4],
    states: () => [
      { family: 4, ports: new Map([[port.key, port]]), failed: new Map([['a', new Error('no')]]) },
    ],
    counts: () => ({ services: 3, endpoints: 7 }),
    problems: () => 2,
  });
  const done: SyncDone = {
    family: 4,
    report: { full: true, changes: 5, failed: new Map() },
    changed: 'all',
    milliseconds: 1,
    heardAt: undefined,
    triggeredAt: [],
    udp: 'all',
    mended: true,
  };
  metrics.synced(done);
  metrics.synced({ ...done, mended: false, heardAt: performance.now() - 3_600_000 });
  const text = await registry.text();
  for (const line of [
    'netloom_proxy_services{family="IPv4"} 3',
    'netloom_proxy_ports{family="IPv4"} 1',
    'netloom_proxy_endpoints{family="IPv4"} 7',
    'netloom_proxy_failed_ports{family="IPv4"} 1',
    'netloom_proxy_problems 2',
    'netloom_proxy_foreign_changes_mended_total{family="IPv4"} 1',
    'netloom_proxy_kernel_changes_total{family="IPv4"} 10',
    'netloom_proxy_event_to_kernel_seconds_bucket{le="10",family="IPv4"} 0',
    'netloom_proxy_event_to_kernel_seconds_count{family="IPv4"} 1',
  ]) {
    expect(text).toContain(`\n${line}\n`);
  }
});
