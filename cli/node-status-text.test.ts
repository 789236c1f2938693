import { expect, test } from '@jest/globals';
import { nodeStatusShape, nodeStatusText } from './node-status-text.ts';

const status = nodeStatusShape.parse({
  node: 'n1',
  ready: true,
  blockers: [],
  lease: {
    subnet: '10.244.1.0/24',
    backend: 'vxlan',
    publicIp: '192.0.2.11',
    expiresAt: '2026-01-02T00:00:00.000Z',
  },
  store: { directory: '/leases', by: 'poll', fileSystem: '9p', pollMs: 1000 },
  underlay: { interface: 'eth0', mtu: 1500 },
  mtu: 1450,
  peers: [
    {
      node: 'n2',
      subnet: '10.244.2.0/24',
      publicIp: '192.0.2.12',
      path: 'vxlan',
      programmed: true,
      reason: null,
    },
    {
      node: 'n13',

      publicIp: null,
      path: 'rejected',
      programmed: false,
      reason: 'its subnet overlaps ours',
    },
  ],
  pods: [{ name: 'default/web', addresses: ['10.244.1.2'], interface: 'eth0' }],
  objects: { link: 2, route: 1, rule: 0 },
  repaired: {},
  problems: [{ object: 'lease n13', message: 'its subnet overlaps ours' }],
});

test('a node that is ready', () => {
  expect(`\n${nodeStatusText(status).join('\n')}\n`).toBe(`
node      n1  ready
lease     10.244.1.0/24 (vxlan by 192.0.2.11, until 2026-01-02T00:00:00.000Z)
store     /leases (9p), looked at every 1000 ms
underlay  eth0, MTU 1500; pods 1450
objects   2 link, 1 route
repaired  none
peers     2
  n2   10.244.2.0/24  192.0.2.12  vxlan     programmed
  n13                 -           rejected  not programmed: its subnet overlaps ours
pods      1
  default/web  10.244.1.2  eth0
problems  1
  lease n13  its subnet overlaps ours
`);
});

test('a tunnel says where its peer is heard, or sought', () => {
  const peer = { ...status.peers[0], path: 'wireguard', programmed: true, reason: null };
  const endpoint = '192.0.2.12:51820';
  const peers = [
    { ...peer, tunnels: [{ endpoint, lastHandshake: '2026-11-22T06:00:00.000Z' }] },
    { ...peer, node: 'n3', tunnels: [{ endpoint, lastHandshake: null }] },
  ];
  const lines = nodeStatusText(nodeStatusShape.parse({ ...status, peers }));
  expect(lines.filter((line) => line.includes('wireguard')).map((line) => line.trim())).toEqual([
    'n2  10.244.2.0/24  192.0.2.12  wireguard  programmed, heard at 192.0.2.12:51820, handshake 2026-11-22T06:00:00.000Z',
    'n3  10.244.2.0/24  192.0.2.12  wireguard  programmed, sought at 192.0.2.12:51820',
  ]);
});

test('nodes of IPv6, alone and with IPv4, are shown by their addresses of it', () => {
  const six = { publicIp: null, publicIp6: '2001:db8::11', backend: 'vxlan', expiresAt: null };
  const lease = { ...six, subnet6: 'fd00:244:1::/64' };
  const both = { subnet: '10.244.2.0/24', subnet6: 'fd00:244:2::/64', publicIp: '192.0.2.12' };
  const peers = [{ ...status.peers[0], ...both, publicIp6: '2001:db8::12' }];
  const lines = nodeStatusText(nodeStatusShape.parse({ ...status, lease, peers }));
  expect(lines).toContain('lease     fd00:244:1::/64 (vxlan by 2001:db8::11)');
  expect(lines).toContain(
    '  n2  10.244.2.0/24, fd00:244:2::/64  192.0.2.12, 2001:db8::12  vxlan  programmed',
  );
});

test('a node that has nothing yet', () => {
  const bare = {
    ...status,
    store: null,
    ready: false,
    blockers: ['no lease', 'no underlay'],
    lease: null,
    underlay: null,
    mtu: null,
    peers: [],
    pods: undefined,
    objects: {},
    repaired: { route: 3 },
    problems: [],
  };
  expect(`\n${nodeStatusText(bare).join('\n')}\n`).toBe(`
node      n1  not ready: no lease; no underlay
lease     none
underlay  none
objects   none
repaired  3 route
peers     0
problems  none
`);
});

test('what backend udp carried and dropped', () => {
  const udp = {
    sent: { packets: 12, dropped: { 'no-peer': 1, ttl: 2 } },
    received: { packets: 7, dropped: {} },
  };
  const lines = nodeStatusText(nodeStatusShape.parse({ ...status, udp }));
  expect(lines.filter((line) => line.startsWith('udp'))).toEqual([
    'udp       sent 12 packets, dropped 1 no-peer, 2 ttl; received 7 packets',
  ]);
});
