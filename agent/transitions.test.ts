// Every state of a cluster, reached from any other on a kernel that behaves like Linux: after one plan the node is as wanted,
// and a second plan has nothing left to do.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createFakeRouteDriver, type FakeRouteDriver } from '../kernel/route/fake.ts';
import type { RouteState } from '../kernel/route/objects.ts';
import { planRoute } from '../kernel/route/plan.ts';
import { routeStepText } from '../kernel/route/text.ts';
import type { Lease } from '../store/lease.ts';
import { advertise } from './backend/choose-backend.ts';
import { type DesiredInput, type DesiredState, desiredState } from './desired-state.ts';
import { hashedMac } from './device-macs.ts';
import { createPeerTable, type PeerTable } from './peer-table.ts';
import { routeLookup } from './route-lookup.ts';
import {
  leaseMap,
  type SampleNode,
  sampleConfig,
  sampleLease,
  sampleMachine,
  sampleUnderlay,
  sampleWireguardKey,
} from './sample-cluster.ts';

interface ClusterState {
  readonly name: string;
  readonly backend: Readonly<Record<string, unknown>>;
  readonly families?: readonly (4 | 6)[];
  /** Of the node's own backend unless said. */
  readonly peers: readonly Omit<SampleNode, 'families'>[];
  /** The node's own subnet, by its number. */
  readonly own?: number;
  readonly publicIp?: string;
  readonly mtu?: number;
  readonly bridge?: string;
  /** A former device stays for a peer that has not changed: it is not compared. */
  readonly lingers?: boolean;
}

const vxlan = { Type: 'vxlan' };
const direct = { Type: 'vxlan', DirectRouting: true };
const hostGw = { Type: 'host-gw' };
const ipip = { Type: 'ipip' };
const wireguard = { Type: 'wireguard' };
const udp = { Type: 'udp' };
const both = [4, 6] as const;

const states: readonly ClusterState[] = [
  { name: 'alone', backend: vxlan, peers: [] },
  { name: 'three nodes', backend: vxlan, peers: [{ number: 2 }, { number: 3 }] },
  { name: 'one left', backend: vxlan, peers: [{ number: 3 }] },
  { name: 'a new MAC', backend: vxlan, peers: [{ number: 2, vtepMac: '02:00:00:00:99:02' }, { number: 3 }] },
  { name: 'a new address', backend: vxlan, peers: [{ number: 2, publicIp: '192.0.2.77' }, { number: 3 }] },
  {
    name: 'two nodes that swapped MACs',
    backend: vxlan,
    peers: [
      { number: 2, vtepMac: '02:00:00:00:04:03' },
      { number: 3, vtepMac: '02:00:00:00:04:02' },
    ],
  },
  {
    name: 'two nodes that swapped addresses',
    backend: vxlan,
    peers: [
      { number: 2, publicIp: '192.0.2.3' },
      { number: 3, publicIp: '192.0.2.2' },
    ],
  },
  { name: 'a node with another subnet', backend: vxlan, peers: [{ number: 2, subnet: '10.244.200.0/24' }] },
  { name: 'another VNI', backend: { ...vxlan, VNI: 9 }, peers: [{ number: 2, vni: 9 }] },
  { name: 'another port', backend: { ...vxlan, Port: 4789 }, peers: [{ number: 2 }] },
  { name: 'DirectRouting', backend: direct, peers: [{ number: 2 }, { number: 3, publicIp: '203.0.113.3' }] },
  {
    name: 'DirectRouting flipped',
    backend: direct,
    peers: [{ number: 2, publicIp: '203.0.113.2' }, { number: 3 }],
  },
  { name: 'host-gw', backend: hostGw, peers: [{ number: 2 }, { number: 3 }] },
  { name: 'host-gw, one behind a router', backend: hostGw, peers: [{ number: 2, publicIp: '203.0.113.2' }] },
  { name: 'ipip', backend: ipip, peers: [{ number: 2 }, { number: 3 }] },
  {
    name: 'ipip, DirectRouting',
    backend: { ...ipip, DirectRouting: true },
    peers: [{ number: 2 }, { number: 3, publicIp: '203.0.113.3' }],
  },
  { name: 'ipip, another subnet for us', backend: ipip, own: 9, mtu: 9000, peers: [{ number: 2 }] },
  { name: 'wireguard', backend: wireguard, peers: [{ number: 2 }, { number: 3 }] },
  { name: 'wireguard, both families', backend: wireguard, families: both, peers: [{ number: 2 }] },
  {
    name: 'wireguard, one device for both',
    backend: { ...wireguard, Mode: 'auto' },
    families: both,
    peers: [{ number: 2 }],
  },
  { name: 'udp', backend: udp, peers: [{ number: 2 }, { number: 3 }] },
  { name: 'udp, another subnet for us', backend: { ...udp, Port: 9000 }, own: 9, mtu: 9000, peers: [] },
  {
    name: 'one that has changed to host-gw',
    backend: vxlan,
    peers: [{ number: 2, backend: 'host-gw' }, { number: 3 }],
  },
  {
    name: 'host-gw, one that has not changed yet',
    backend: hostGw,
    peers: [{ number: 2, backend: 'vxlan' }, { number: 3 }],
    lingers: true,
  },
  { name: 'leases only', backend: { Type: 'alloc' }, peers: [{ number: 2 }] },
  { name: 'both families', backend: vxlan, families: both, peers: [{ number: 2 }, { number: 3 }] },
  { name: 'both families, direct', backend: direct, families: both, peers: [{ number: 2 }] },
  { name: 'both families, host-gw', backend: hostGw, families: both, peers: [{ number: 2 }] },
  { name: 'IPv6 alone', backend: vxlan, families: [6], peers: [{ number: 2 }] },
  { name: 'another subnet for us', backend: vxlan, own: 9, peers: [{ number: 2 }] },
  { name: 'jumbo frames', backend: vxlan, mtu: 9000, peers: [{ number: 2 }] },
  { name: 'another bridge', backend: vxlan, bridge: 'pods0', peers: [{ number: 2 }] },
  { name: 'another public address', backend: vxlan, publicIp: '198.51.100.1', peers: [{ number: 2 }] },
];

function desire(state: ClusterState, actual: RouteState, table?: PeerTable): DesiredState {
  const { families = [4], own: number = 1, bridge = 'cni0' } = state;
  const config = sampleConfig({ backend: state.backend, families });
  const plain = sampleUnderlay(families);
  const underlay = {
    ...plain,
    mtu: state.mtu ?? plain.mtu,
    ip4:
      state.publicIp === undefined || plain.ip4 === undefined
        ? plain.ip4
        : {
            ...plain.ip4,
            publicIp: sampleLease({ number: 1, publicIp: state.publicIp }).publicIp ?? plain.ip4.address,
          },
  };
  const macs = (link: string) => hashedMac('node-1', link);
  const { subnet, subnet6 } = sampleLease({ number, families });
  const own: Lease = {
    node: 'node-1',
    subnet,
    subnet6,
    ...advertise({ config, underlay, macs, wireguardKey: sampleWireguardKey }),
  };
  const backend = config.backend.kind === 'opaque' ? '' : config.backend.kind;
  const input: DesiredInput = {
    config,
    own,
    leases: leaseMap(state.peers.map((peer) => sampleLease({ backend, ...peer, families }))),
    underlay,
    routeTo: routeLookup(actual),
    choices: {
      bridge,
      subnetFile: '/run/flannel/subnet.env',
      masquerade: 'none',
      masqueradeChoices: { exclude: [], randomFully: true, forward: true },
    },
    macs,
    actual,
  };
  return desiredState(input, table);
}

/** Its eth0 carries jumbo frames: how much of that is used is the state's. */
function machine(): FakeRouteDriver {
  const eth0 = { name: 'eth0', detail: { kind: 'other', type: '' }, mtu: 9000, up: true } as const;
  return createFakeRouteDriver(sampleMachine({ links: [eth0] }));
}

/** One pass, with what the one before remembered; returns what a second one would still do, as text. */
function enter(driver: FakeRouteDriver, state: ClusterState, table = createPeerTable()): readonly string[] {
  const actual = driver.read();
  const desired = desire(state, actual, table);
  const steps = planRoute(desired.route, actual, desired.scope);
  const errors = driver
    .apply(steps)
    .flatMap(({ step, error }) => (error === undefined ? [] : [`${routeStepText(step)}: ${error.message}`]));
  const after = driver.read();
  const again = desire(state, after, table);
  return [...errors, ...planRoute(again.route, after, again.scope).map(routeStepText)];
}

/** What there is of ours, without the machine's own. */
function ours(driver: FakeRouteDriver): readonly string[] {
  const { links, routes, neighbours, fdb } = driver.read();
  return [
    ...[...links.values()].filter(({ alias }) => alias === 'netloom').map(({ name }) => name),
    ...[...routes.values()]
      .filter(({ protocol }) => protocol === 78)
      .map(({ destination }) => `${destination}`),
    ...neighbours.keys(),
    ...fdb.keys(),
  ].sort();
}

describe('from nothing', () => {
  test.each(states.map((state) => [state.name, state] as const))('%s', (_, state) => {
    expect(enter(machine(), state)).toEqual([]);
  });
});

test('from any state to any other, in any order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(states.length - 1), { minLength: 2, maxLength: 12 }), (walk) => {
      const driver = machine();
      const table = createPeerTable();
      for (const index of walk) {
        const state = states[index];
        if (state === undefined) continue;
        expect({ entered: state.name, left: enter(driver, state, table) }).toEqual({
          entered: state.name,
          left: [],
        });
        const fresh = machine();
        enter(fresh, state);
        const compared = (list: readonly string[]) =>
          list.filter((each) => state.lingers !== true || !each.startsWith('flannel'));
        expect(compared(ours(driver))).toEqual(compared(ours(fresh)));
      }
    }),
    { numRuns: 60 },
  );
});
