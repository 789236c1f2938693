import { expect, test } from '@jest/globals';
import { type ProxyStatus, proxyStatusText } from './proxy-status-text.ts';

const quiet: ProxyStatus = {
  mode: 'nftables',
  ready: true,
  blockers: [],
  families: [
    {
      family: 'IPv4',
      services: 3,
      ports: 4,
      endpoints: 9,
      lastSync: { at: '2026-01-02T03:04:05.000Z', milliseconds: 0.4 },
      failedPorts: { total: 0, list: [] },
      repaired: 2,
    },
  ],
  problems: { total: 0, list: [] },
};

test('a proxy without trouble', () => {
  expect(proxyStatusText(quiet).join('\n')).toBe(`proxy     nftables  ready
  IPv4    3 services, 4 ports, 9 endpoints; last change 2026-01-02T03:04:05.000Z in 0.4 ms; put back 2 times`);
});

test('what is wrong is told, and how much more there is', () => {
  const list = Array.from({ length: 12 }, (_, i) => ({ object: `Service "a/b${i}"`, message: 'no' }));
  const text = proxyStatusText({
    ...quiet,
    ready: false,
    blockers: ['IPv4: EPERM'],
    families: quiet.families.map((family) => ({
      ...family,
      lastSync: null,
      repaired: 0,
      failedPorts: { total: 1, list: [{ port: 'a/b/tcp', message: 'full' }] },
    })),
    problems: { total: 30, list },
  });
  expect(text.slice(0, 6).join('\n')).toBe(`proxy     nftables  not ready: IPv4: EPERM
  IPv4    3 services, 4 ports, 9 endpoints
  failed  1
    a/b/tcp  full
  problems  30
    Service "a/b0"  no`);
  expect(text.at(-1)).toBe('    … and 20 more (--json)');
});
