import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import type { Lease } from '../store/lease.ts';
import type { BackendInput } from './backend/backend.ts';
import { peerName } from './peer-name.ts';
import { checkPeers } from './peers.ts';
import { routeLookup } from './route-lookup.ts';
import { sampleConfig, sampleLease, sampleMachine, sampleUnderlay } from './sample-cluster.ts';

const own = sampleLease({ number: 1 });

function check(
  leases: readonly Lease[],
  more: Partial<BackendInput> = {},
): { accepted: string[]; rejected: string[] } {
  const result = checkPeers(leases, {
    config: sampleConfig({}),
    own,
    underlay: sampleUnderlay(),
    routeTo: routeLookup(sampleMachine()),
    ...more,
  });
  return {
    accepted: result.accepted.map(peerName),
    rejected: result.rejected.map(({ lease, reason }) => `${peerName(lease)}: ${reason}`),
  };
}

const good = sampleLease({ number: 2 });

describe('a lease that cannot be believed is left out, the rest goes on', () => {
  test.each<readonly [string, Lease, string]>([
    [
      'overlaps ours',
      sampleLease({ number: 3, subnet: '10.244.0.0/22' }),
      'node-3: its subnet "10.244.0.0/22" overlaps this node\'s "10.244.1.0/24"',
    ],
    [
      'outside of the network',
      sampleLease({ number: 3, subnet: '10.9.3.0/24' }),
      'node-3: its subnet "10.9.3.0/24" is outside of the network "10.244.0.0/16"',
    ],
    [
      'our public address',
      sampleLease({ number: 3, publicIp: '192.0.2.1' }),
      'node-3: it claims this node\'s own public address "192.0.2.1"',
    ],
    [
      'a public address among the pods',
      sampleLease({ number: 3, publicIp: '10.244.9.9' }),
      'node-3: its public address "10.244.9.9" is a pod\'s',
    ],
    [
      'another backend, whose packets must not leave in the clear',
      sampleLease({ number: 3, backend: 'wireguard' }),
      'node-3: its backend is "wireguard", this node\'s is "vxlan"',
    ],
    [
      'another backend, behind a router',
      sampleLease({ number: 3, backend: 'host-gw', publicIp: '203.0.113.3' }),
      'node-3: its backend is "host-gw", this node\'s is "vxlan", and between them only plain routes are possible: its address "203.0.113.3" is not on a network of interface "eth0"',
    ],
    ['another VNI', sampleLease({ number: 3, vni: 7 }), "node-3: its VNI is 7, this node's is 1"],
    [
      'our MAC',
      sampleLease({ number: 3, vtepMac: '02:00:00:00:04:01' }),
      'node-3: it claims this node\'s own VTEP MAC "02:00:00:00:04:01"',
    ],
    [
      'no data',
      { ...sampleLease({ number: 3 }), backendData: undefined },
      'node-3: it has no VXLAN data for "10.244.3.0/24"',
    ],
  ])('%s', (_, bad, reason) => {
    expect(check([bad, good])).toEqual({ accepted: ['node-2'], rejected: [reason] });
  });
});

describe('of two that claim the same, the one renewed last is believed', () => {
  const older = { expiresAt: 1000 };
  const newer = { expiresAt: 2000 };
  test.each<readonly [string, Lease, Lease, string]>([
    [
      'public address',
      sampleLease({ number: 3, publicIp: '192.0.2.9', ...newer }),
      sampleLease({ number: 2, publicIp: '192.0.2.9', ...older }),
      'node-2: it claims the public address "192.0.2.9" of "node-3"',
    ],
    [
      'VTEP MAC',
      sampleLease({ number: 3, vtepMac: '02:00:00:00:00:99', ...newer }),
      sampleLease({ number: 2, vtepMac: '02:00:00:00:00:99', ...older }),
      'node-2: it claims the VTEP MAC "02:00:00:00:00:99" of "node-3"',
    ],
    [
      'a subnet of the proper size goes before a larger one that is newer',
      sampleLease({ number: 3, ...older }),
      sampleLease({ number: 2, subnet: '10.244.2.0/23', ...newer }),
      'node-2: its subnet "10.244.2.0/23" overlaps "10.244.3.0/24" of "node-3"',
    ],
  ])('%s', (_, winner, loser, reason) => {
    for (const leases of [
      [winner, loser],
      [loser, winner],
    ]) {
      expect(check(leases)).toEqual({ accepted: [peerName(winner)], rejected: [reason] });
    }
  });
});

test("flannel's own leases carry no node: they go by their subnet", () => {
  expect(check([{ ...good, node: undefined }])).toEqual({ accepted: ['10.244.2.0/24'], rejected: [] });
});

describe('a peer of another backend', () => {
  const others = ['host-gw', 'ipip', 'udp', ''].map((backend, i) => sampleLease({ number: i + 2, backend }));

  test('is believed where plain routes lead there', () => {
    expect(check(others)).toEqual({ accepted: ['node-2', 'node-3', 'node-4', 'node-5'], rejected: [] });
  });

  test('is left out where this node is reached by another address than its own', () => {
    const address = IpAddress.parse('192.0.2.1');
    const underlay = { ...sampleUnderlay(), ip4: { address, publicIp: IpAddress.parse('203.0.113.1') } };
    expect(check(others.slice(0, 1), { underlay }).rejected).toEqual([
      'node-2: its backend is "host-gw", this node\'s is "vxlan", and between them only plain routes are possible: this node is reached by another address than that of interface "eth0"',
    ]);
  });

  test.each(['wireguard', 'alloc'])('is left out where this node has %s', (backend) => {
    const config = sampleConfig({ backend: { Type: backend } });
    const seen = check(others.slice(0, 1), { config, own: { ...own, backendType: backend } });
    expect(seen.rejected).toEqual([`node-2: its backend is "host-gw", this node's is "${backend}"`]);
  });

  test("flannel's leases of udp name no backend: to a node of udp they are its own kind", () => {
    const seen = check([{ ...good, backendType: '', backendData: undefined }], {
      own: { ...own, backendType: 'udp', backendData: undefined },
      routeTo: () => undefined,
    });
    expect(seen).toEqual({ accepted: ['node-2'], rejected: [] });
  });
});
