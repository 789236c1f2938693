import { expect, test } from '@jest/globals';
import { createMetrics } from '../runtime/metrics.ts';
import { createMetricsServer } from './metrics-server.ts';

const metrics = createMetrics();
metrics.gauge({ prefix: 'kubeproxy_', name: 'one', help: 'One' }).set(1);
const server = createMetricsServer({
  log: { debug: () => {}, error: () => {} },
  metrics,
  options: { mode: 'nftables', configuration: { mode: 'nftables', iptables: { masqueradeBit: 14 } } },
});

test.each([
  ['/healthz', 'text/plain; charset=utf-8', 'ok'],
  ['/proxyMode', 'text/plain; charset=utf-8', 'nftables'],
  [
    '/configz',
    'application/json',
    '{"kubeproxy.config.k8s.io":{"mode":"nftables","iptables":{"masqueradeBit":14}}}',
  ],
  [
    '/metrics',
    'text/plain; version=0.0.4; charset=utf-8',
    '# HELP kubeproxy_one One\n# TYPE kubeproxy_one gauge\nkubeproxy_one 1\n',
  ],
])('%s', async (url, type, expected) => {
  const { statusCode, headers, body } = await server.inject({ url });
  expect([statusCode, headers['content-type'], body]).toEqual([200, type, expected]);
});

test('/metrics/slis counts the health checks', async () => {
  const { body } = await server.inject({ url: '/metrics/slis' });
  expect(body).toContain('# TYPE kubernetes_healthcheck gauge');
  expect(body).toContain('kubernetes_healthchecks_total{name="ping",type="healthz",status="success"} 1\n');
});
