import { expect, test } from '@jest/globals';
import { createMetrics } from '../runtime/metrics.ts';
import { createTrafficMetrics, type PortTraffic } from './metrics-service-traffic.ts';

function counting(limit: number) {
  const registry = createMetrics();
  const state = { traffic: [] as readonly PortTraffic[] };
  const gone = new Set<string>();
  createTrafficMetrics({
    registry,
    limit,
    read: () => state.traffic,
    services: () =>
      new Set(
        state.traffic
          .map(({ namespace, service }) => `${namespace}/${service}`)
          .filter((key) => !gone.has(key)),
      ),
  });
  /** "a 5, b 7": bytes of each service now; what is shown of them. */
  const scrape = async (text: string): Promise<string> => {
    state.traffic = text.split(', ').map((one) => {
      const [service = '', bytes = ''] = one.split(' ');
      return traffic(service, Number(bytes));
    });
    const lines = (await registry.text()).matchAll(
      /^netloom_service_bytes_total{.*service="([^"]+)".*} (\d+)$/gm,
    );
    return [...lines].map(([, service, bytes]) => `${service} ${bytes}`).join(', ');
  };
  return { registry, state, gone, scrape };
}

function traffic(service: string, bytes: number): PortTraffic {
  return { namespace: 'ns', service, port: 'http', protocol: 'tcp', direction: 'in', packets: 1, bytes };
}

test('by service, port, protocol and direction', async () => {
  const { registry, state } = counting(10);
  state.traffic = [traffic('a', 100), { ...traffic('a', 9), direction: 'out', port: '' }];
  const text = await registry.text();
  for (const line of [
    '# TYPE netloom_service_packets_total counter',
    '# TYPE netloom_service_bytes_total counter',
    'netloom_service_packets_total{namespace="ns",service="a",port="http",protocol="tcp",direction="in"} 1',
    'netloom_service_bytes_total{namespace="ns",service="a",port="http",protocol="tcp",direction="in"} 100',
    'netloom_service_bytes_total{namespace="ns",service="a",port="",protocol="tcp",direction="out"} 9',
  ]) {
    expect(`\n${text}`).toContain(`\n${line}\n`);
  }
});

test('the busiest have series of their own, and keep them; the rest is a sum that never falls', async () => {
  const { scrape, gone } = counting(2);
  expect(await scrape('a 1, b 20, c 30, d 4')).toBe('(other) 5, b 20, c 30');
  expect(await scrape('a 1000, b 20, c 30, d 5')).toBe('(other) 1005, b 20, c 30');
  gone.add('ns/b');
  // "a" moves up: what it had before stays in the sum.
  expect(await scrape('a 1003, b 20, c 31, d 5')).toBe('(other) 1005, c 31, a 3');
  gone.delete('ns/b');
  expect(await scrape('a 1003, b 7, c 31, d 5')).toBe('(other) 1012, c 31, a 3');
});

test('a count that began anew is added, not taken off', async () => {
  const { scrape } = counting(1);
  expect(await scrape('a 100')).toBe('a 100');
  expect(await scrape('a 30')).toBe('a 130');
  expect(await scrape('a 35')).toBe('a 135');
});

test('a limit of nothing leaves the sum', async () => {
  const { scrape } = counting(0);
  expect(await scrape('a 100, b 3')).toBe('(other) 103');
});
