import { expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import type { FamilyState } from './proxy-loop.ts';
import { proxyStatus } from './proxy-status.ts';

const family: FamilyState & { readonly counts: { readonly services: number; readonly endpoints: number } } = {
  family: 4,
  ports: new Map(),
  context: {
    family: 4,
    nodeIps: [IpAddress.parse('192.0.2.1')],
    nodePortIps: 'all',
    localhostNodePorts: false,
    localDetector: { kind: 'none' },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    serviceNetworks: [],
    dropInvalid: false,
  },
  synced: true,
  syncs: 7,
  lastSync: { at: Date.UTC(2026, 0, 2), milliseconds: 0.12345, full: false, changes: 2 },
  error: undefined,
  failed: new Map([['ns/a/tcp', new Error('no room')]]),
  mended: 1,
  counts: { services: 3, endpoints: 9 },
};

test('as JSON', () => {
  const status = proxyStatus({
    node: 'n1',
    mode: 'nftables',
    families: [family],
    healthChecks: [{ service: 'ns/lb', port: 30_100, localEndpoints: 2, listening: true }],
    problems: Array.from({ length: 250 }, (_, i) => ({ object: `${i}`, message: 'no' })),
  });
  expect(JSON.parse(JSON.stringify({ ...status, problems: undefined }))).toEqual({
    node: 'n1',
    mode: 'nftables',
    ready: true,
    blockers: [],
    families: [
      {
        family: 'IPv4',
        synced: true,
        services: 3,
        ports: 0,
        endpoints: 9,
        syncs: 7,
        lastSync: { at: '2026-01-02T00:00:00.000Z', milliseconds: 0.123, full: false, changes: 2 },
        error: null,
        failedPorts: { total: 1, list: [{ port: 'ns/a/tcp', message: 'no room' }] },
        repaired: 1,
        nodeAddresses: ['192.0.2.1'],
        nodePortAddresses: 'all',
      },
    ],
    healthChecks: [{ service: 'ns/lb', port: 30_100, localEndpoints: 2, listening: true }],
  });
  expect(status.problems.total).toBe(250);
  expect(status.problems.list).toHaveLength(100);
});

test('what keeps it from being ready', () => {
  const state = { node: 'n1', mode: 'nftables', healthChecks: [], problems: [] } as const;
  const waiting = { ...family, family: 6 as const, synced: false, lastSync: undefined };
  const broken = { ...family, error: 'Cannot program the table: no' };
  const { ready, blockers, families } = proxyStatus({ ...state, families: [broken, waiting] });
  expect([ready, blockers]).toEqual([
    false,
    ['IPv4: Cannot program the table: no', 'IPv6: the services are not programmed yet'],
  ]);
  expect(families.map(({ synced, lastSync, error }) => [synced, lastSync !== null, error])).toEqual([
    [false, true, 'Cannot program the table: no'],
    [false, false, null],
  ]);
});
