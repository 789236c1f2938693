// What every rtnetlink driver must do, as data: states to go through, disturbances to heal and refusals, with what an operator
// sees afterwards. The tests of the fake and of the real kernel run the same cases. Long because it is one table.
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import {
  type Link,
  type NextHop,
  netloomRouteProtocol,
  type PortVlan,
  type Route,
  type RouteObjects,
  type RouteState,
  routeState,
} from './objects.ts';
import type { RouteDriver, RouteScope, RouteStep } from './step.ts';
import { addressText, fdbText, linkText, neighbourText, portText, routeText, ruleText } from './text.ts';

const ip = IpAddress.parse;
const prefix = Prefix.parse;
const mac = (last: number): Mac => Mac.fromBytes(Uint8Array.from([2, 0, 0, 0, 0, last]));

const mainTable = 254;

/** The node's own link with its addresses: there before us and never ours. */
export const surroundings: readonly RouteStep[] = [
  { kind: 'link-add', link: { name: 'u0', detail: { kind: 'veth', peer: { name: 'u1' } }, up: true } },
  {
    kind: 'link-set',
    link: { name: 'u1', detail: { kind: 'veth' }, up: true },
    was: { name: 'u1', detail: { kind: 'veth' } },
  },
  { kind: 'address-add', address: { link: 'u0', prefix: prefix('192.0.2.1/24') } },
  { kind: 'address-add', address: { link: 'u0', prefix: prefix('2001:db8::1/64'), noDad: true } },
];

export const scope: RouteScope = {
  links: new Set(['flannel.1', 'cni0', 'veth1', 'tun0', 'ifb1']),
  addressesOn: new Set(['flannel.1', 'cni0']),
  neighboursOn: new Set(['flannel.1']),
  fdbOn: new Set(['flannel.1']),
  protocol: netloomRouteProtocol,
};

function route(destination: string, hops: readonly NextHop[], more: Partial<Route> = {}): Route {
  const to = prefix(destination);
  return {
    destination: to,
    table: mainTable,
    priority: to.family === 4 ? 0 : 1024,
    protocol: netloomRouteProtocol,
    type: 'unicast',
    hops,
    ...more,
  };
}

function vtep(options: { readonly port: number; readonly mtu: number; readonly mac: number }): Link {
  return {
    name: 'flannel.1',
    detail: {
      kind: 'vxlan',
      vni: 1,
      port: options.port,
      local: ip('192.0.2.1'),
      underlay: 'u0',
      learning: false,
    },
    mac: mac(options.mac),
    mtu: options.mtu,
    up: true,
  };
}

const bridge: Link = {
  name: 'cni0',
  detail: { kind: 'bridge' },
  mac: mac(0xc0),
  mtu: 1450,
  up: true,
  promiscuous: false,
  alias: '',
};
const mirror: Link = { name: 'ifb1', detail: { kind: 'ifb' }, mac: mac(0xf1), up: true, txQueueLength: 64 };
const pod: Link = {
  name: 'veth1',
  detail: { kind: 'veth', peer: { name: 'eth1' } },
  mac: mac(0xa1),
  mtu: 1450,
  up: true,
  master: 'cni0',
};

interface Peer {
  readonly subnet: string;
  readonly mac: number;
  readonly at: string;
}

/** What flannel has for each peer: neighbour, FDB row, route. */
function peers(...list: readonly Peer[]): RouteObjects {
  const first = (peer: Peer): IpAddress => prefix(peer.subnet).address;
  return {
    neighbours: list.map((peer) => ({
      link: 'flannel.1',
      address: first(peer),
      mac: mac(peer.mac),
      state: 'permanent',
    })),
    fdb: list.map((peer) => ({
      link: 'flannel.1',
      mac: mac(peer.mac),
      remote: ip(peer.at),
      self: true,
      state: 'permanent',
    })),
    routes: list.map((peer) =>
      route(peer.subnet, [{ gateway: first(peer), link: 'flannel.1', onlink: true }]),
    ),
  };
}

export interface DriverState {
  readonly name: string;
  readonly desired: RouteState;
  /** What an operator sees, beside the surroundings. */
  readonly shown: readonly string[];
}

export const states: readonly DriverState[] = [
  { name: 'nothing', desired: routeState({}), shown: [] },
  {
    name: 'vxlan with two peers, a bridge and a pod',
    desired: routeState({
      links: [vtep({ port: 8472, mtu: 1450, mac: 1 }), pod, bridge],
      ports: [{ link: 'veth1', hairpin: true, isolated: false }],
      addresses: [
        { link: 'flannel.1', prefix: prefix('10.1.0.0/32') },
        { link: 'cni0', prefix: prefix('10.1.0.1/24'), broadcast: ip('10.1.0.255') },
      ],
      ...peers(
        { subnet: '10.1.2.0/24', mac: 0x12, at: '192.0.2.2' },
        { subnet: '10.1.3.0/24', mac: 0x13, at: '192.0.2.3' },
      ),
      rules: [
        {
          family: 4,
          priority: 100,
          mark: 0x40,
          markMask: 0xff,
          table: 300,
          protocol: netloomRouteProtocol,
          action: 'lookup',
        },
      ],
    }),
    shown: [
      'cni0 address 02:00:00:00:00:c0 mtu 1450 up type bridge',
      'flannel.1 address 02:00:00:00:00:01 mtu 1450 up type vxlan id 1 local 192.0.2.1 dev u0 dstport 8472 nolearning',
      'veth1 address 02:00:00:00:00:a1 mtu 1450 master cni0 up type veth',
      'port dev veth1 hairpin on isolated off learning on',
      'addr 10.1.0.0/32 dev flannel.1',
      'addr 10.1.0.1/24 brd 10.1.0.255 dev cni0',
      'neigh 10.1.2.0 lladdr 02:00:00:00:00:12 dev flannel.1 nud permanent',
      'neigh 10.1.3.0 lladdr 02:00:00:00:00:13 dev flannel.1 nud permanent',
      'fdb 02:00:00:00:00:12 dev flannel.1 dst 192.0.2.2 self permanent',
      'fdb 02:00:00:00:00:13 dev flannel.1 dst 192.0.2.3 self permanent',
      'route 10.1.0.0/24 dev cni0 proto kernel scope link src 10.1.0.1',
      'route 10.1.2.0/24 via 10.1.2.0 dev flannel.1 onlink proto 78',
      'route 10.1.3.0/24 via 10.1.3.0 dev flannel.1 onlink proto 78',
      'rule priority 100 from all fwmark 0x40/0xff lookup 300 protocol 78',
    ],
  },
  {
    name: 'a peer with another MAC and VTEP, a smaller MTU',
    desired: routeState({
      links: [vtep({ port: 8472, mtu: 1400, mac: 1 })],
      addresses: [{ link: 'flannel.1', prefix: prefix('10.1.0.0/32') }],
      ...peers({ subnet: '10.1.3.0/24', mac: 0x23, at: '192.0.2.33' }),
    }),
    shown: [
      'flannel.1 address 02:00:00:00:00:01 mtu 1400 up type vxlan id 1 local 192.0.2.1 dev u0 dstport 8472 nolearning',
      'addr 10.1.0.0/32 dev flannel.1',
      'neigh 10.1.3.0 lladdr 02:00:00:00:00:23 dev flannel.1 nud permanent',
      'fdb 02:00:00:00:00:23 dev flannel.1 dst 192.0.2.33 self permanent',
      'route 10.1.3.0/24 via 10.1.3.0 dev flannel.1 onlink proto 78',
    ],
  },
  {
    name: 'one VTEP of another MAC, the bridge at another address of its network',
    desired: routeState({
      links: [vtep({ port: 8472, mtu: 1450, mac: 2 }), { ...bridge, mac: mac(0xc2), alias: 'pods' }],
      addresses: [
        { link: 'flannel.1', prefix: prefix('10.1.9.0/32') },
        { link: 'cni0', prefix: prefix('10.1.0.5/24') },
      ],
      ...peers({ subnet: '10.1.3.0/24', mac: 0x23, at: '192.0.2.2' }),
    }),
    shown: [
      'cni0 address 02:00:00:00:00:c2 mtu 1450 alias "pods" up type bridge',
      'flannel.1 address 02:00:00:00:00:02 mtu 1450 up type vxlan id 1 local 192.0.2.1 dev u0 dstport 8472 nolearning',
      'addr 10.1.0.5/24 dev cni0',
      'addr 10.1.9.0/32 dev flannel.1',
      'neigh 10.1.3.0 lladdr 02:00:00:00:00:23 dev flannel.1 nud permanent',
      'fdb 02:00:00:00:00:23 dev flannel.1 dst 192.0.2.2 self permanent',
      'route 10.1.0.0/24 dev cni0 proto kernel scope link src 10.1.0.5',
      'route 10.1.3.0/24 via 10.1.3.0 dev flannel.1 onlink proto 78',
    ],
  },
  {
    name: 'vxlan at another port: the device is made anew',
    desired: routeState({
      links: [vtep({ port: 4789, mtu: 1450, mac: 1 })],
      addresses: [{ link: 'flannel.1', prefix: prefix('10.1.0.0/32') }],
      ...peers({ subnet: '10.1.2.0/24', mac: 0x12, at: '192.0.2.2' }),
    }),
    shown: [
      'flannel.1 address 02:00:00:00:00:01 mtu 1450 up type vxlan id 1 local 192.0.2.1 dev u0 dstport 4789 nolearning',
      'addr 10.1.0.0/32 dev flannel.1',
      'neigh 10.1.2.0 lladdr 02:00:00:00:00:12 dev flannel.1 nud permanent',
      'fdb 02:00:00:00:00:12 dev flannel.1 dst 192.0.2.2 self permanent',
      'route 10.1.2.0/24 via 10.1.2.0 dev flannel.1 onlink proto 78',
    ],
  },
  {
    name: 'host-gw in both families, metrics, multipath, routes that lead nowhere',
    desired: routeState({
      routes: [
        route('10.1.2.0/24', [{ gateway: ip('192.0.2.2') }]),
        route('10.1.3.0/24', [{ gateway: ip('192.0.2.3'), link: 'u0' }], { mtu: 1400, advmss: 1360 }),
        route('10.1.4.0/24', [{ gateway: ip('192.0.2.4'), weight: 3 }, { gateway: ip('192.0.2.5') }]),
        route('10.1.5.0/24', [{ gateway: ip('10.200.0.1') }], { source: ip('192.0.2.1'), priority: 20 }),
        route('10.200.0.0/24', [{ link: 'u0' }]),
        route('10.1.0.0/16', [], { type: 'blackhole', table: 300 }),
        route('2001:db8:3::/64', [{ gateway: ip('2001:db8::3') }], { mtu: 1400 }),
        route('2001:db8:4::/64', [], { type: 'unreachable' }),
      ],
    }),
    shown: [
      'route 10.1.2.0/24 via 192.0.2.2 dev u0 proto 78',
      'route 10.1.3.0/24 via 192.0.2.3 dev u0 proto 78 mtu 1400 advmss 1360',
      'route 10.1.4.0/24 proto 78 nexthop via 192.0.2.4 dev u0 weight 3 nexthop via 192.0.2.5 dev u0 weight 1',
      'route 10.1.5.0/24 via 10.200.0.1 dev u0 proto 78 src 192.0.2.1 metric 20',
      'route 10.200.0.0/24 dev u0 proto 78 scope link',
      'route 2001:db8:3::/64 via 2001:db8::3 dev u0 proto 78 mtu 1400',
      'route blackhole 10.1.0.0/16 table 300 proto 78',
      'route unreachable 2001:db8:4::/64 proto 78',
    ],
  },
  {
    name: 'a bridge that takes in all frames, an IFB device with a queue of its own',
    desired: routeState({ links: [mirror, { ...bridge, promiscuous: true }] }),
    shown: [
      'cni0 address 02:00:00:00:00:c0 mtu 1450 promisc on up type bridge',
      'ifb1 txqueuelen 64 address 02:00:00:00:00:f1 mtu 1500 up type ifb',
    ],
  },
];

export interface Disturbance {
  readonly name: string;
  /** The state that it happens to, by name. */
  readonly to: string;
  readonly steps: readonly RouteStep[];
  /** What is no longer shown right after it, and what is shown instead. */
  readonly lost: readonly string[];
  readonly instead?: readonly string[];
}

const two = 'vxlan with two peers, a bridge and a pod';
const vxlan = vtep({ port: 8472, mtu: 1450, mac: 1 });
const underlay: Link = { name: 'u0', detail: { kind: 'veth' } };
const rows = [
  'route 10.1.2.0/24 via 10.1.2.0 dev flannel.1 onlink proto 78',
  'route 10.1.3.0/24 via 10.1.3.0 dev flannel.1 onlink proto 78',
  'neigh 10.1.2.0 lladdr 02:00:00:00:00:12 dev flannel.1 nud permanent',
  'neigh 10.1.3.0 lladdr 02:00:00:00:00:13 dev flannel.1 nud permanent',
];
const fdbRows = [
  'fdb 02:00:00:00:00:12 dev flannel.1 dst 192.0.2.2 self permanent',
  'fdb 02:00:00:00:00:13 dev flannel.1 dst 192.0.2.3 self permanent',
];
const deviceLine =
  'flannel.1 address 02:00:00:00:00:01 mtu 1450 up type vxlan id 1 local 192.0.2.1 dev u0 dstport 8472 nolearning';

/** What people and other programs do to us; one plan heals each. */
export const disturbances: readonly Disturbance[] = [
  {
    name: 'the device is deleted',
    to: two,
    steps: [{ kind: 'link-delete', link: vxlan }],
    lost: [deviceLine, 'addr 10.1.0.0/32 dev flannel.1', ...rows, ...fdbRows],
  },
  {
    name: 'the device goes down: routes and permanent neighbours go, FDB rows stay',
    to: two,
    steps: [{ kind: 'link-set', link: { ...vxlan, up: false }, was: vxlan }],
    lost: [deviceLine, ...rows],
    instead: [deviceLine.replace(' up ', ' down ')],
  },
  {
    name: 'the device goes down and up',
    to: two,
    steps: [
      { kind: 'link-set', link: { ...vxlan, up: false }, was: vxlan },
      { kind: 'link-set', link: vxlan, was: { ...vxlan, up: false } },
    ],
    lost: rows,
  },
  {
    name: 'the last address of the device goes, and with it routes and neighbours',
    to: two,
    steps: [{ kind: 'address-delete', address: { link: 'flannel.1', prefix: prefix('10.1.0.0/32') } }],
    lost: ['addr 10.1.0.0/32 dev flannel.1', ...rows],
  },
  {
    name: 'the bridge is deleted',
    to: two,
    steps: [{ kind: 'link-delete', link: bridge }],
    lost: [
      'cni0 address 02:00:00:00:00:c0 mtu 1450 up type bridge',
      'veth1 address 02:00:00:00:00:a1 mtu 1450 master cni0 up type veth',
      'port dev veth1 hairpin on isolated off learning on',
      'addr 10.1.0.1/24 brd 10.1.0.255 dev cni0',
      'route 10.1.0.0/24 dev cni0 proto kernel scope link src 10.1.0.1',
    ],
    instead: ['veth1 address 02:00:00:00:00:a1 mtu 1450 up type veth'],
  },
  {
    name: 'a route is put through another gateway by somebody else',
    to: two,
    steps: [
      {
        kind: 'route-set',
        route: route('10.1.2.0/24', [{ gateway: ip('192.0.2.99') }], { protocol: 4 }),
      },
    ],
    lost: ['route 10.1.2.0/24 via 10.1.2.0 dev flannel.1 onlink proto 78'],
    instead: ['route 10.1.2.0/24 via 192.0.2.99 dev u0 proto static'],
  },
  {
    name: 'an FDB row, a neighbour and a route are removed; a stale one of each is there',
    to: two,
    steps: [
      {
        kind: 'fdb-delete',
        entry: { link: 'flannel.1', mac: mac(0x12), remote: ip('192.0.2.2'), self: true, state: 'permanent' },
      },
      {
        kind: 'neighbour-delete',
        neighbour: { link: 'flannel.1', address: ip('10.1.2.0'), state: 'permanent' },
      },
      {
        kind: 'route-delete',
        route: route('10.1.2.0/24', [{ gateway: ip('10.1.2.0'), link: 'flannel.1', onlink: true }]),
      },
      {
        kind: 'fdb-set',
        entry: { link: 'flannel.1', mac: mac(0x99), remote: ip('192.0.2.9'), self: true, state: 'permanent' },
      },
      {
        kind: 'neighbour-set',
        neighbour: { link: 'flannel.1', address: ip('10.1.9.0'), mac: mac(0x99), state: 'permanent' },
      },
      {
        kind: 'route-set',
        route: route('10.1.9.0/24', [{ gateway: ip('10.1.9.0'), link: 'flannel.1', onlink: true }]),
      },
    ],
    lost: [rows[0] ?? '', rows[2] ?? '', fdbRows[0] ?? ''],
    instead: [
      'route 10.1.9.0/24 via 10.1.9.0 dev flannel.1 onlink proto 78',
      'neigh 10.1.9.0 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent',
      'fdb 02:00:00:00:00:99 dev flannel.1 dst 192.0.2.9 self permanent',
    ],
  },
  {
    name: 'MAC, MTU, hairpin and an address are changed by hand',
    to: two,
    steps: [
      { kind: 'link-set', link: { ...vxlan, mac: mac(0x77), mtu: 1300 }, was: vxlan },
      { kind: 'port-set', port: { link: 'veth1', hairpin: false, isolated: true } },
      { kind: 'address-add', address: { link: 'cni0', prefix: prefix('10.77.0.1/24') } },
    ],
    // Linux drops permanent neighbours too when a link gets another MAC.
    lost: [deviceLine, 'port dev veth1 hairpin on isolated off learning on', rows[2] ?? '', rows[3] ?? ''],
    instead: [
      deviceLine.replace(':01 mtu 1450', ':77 mtu 1300'),
      'port dev veth1 hairpin off isolated on learning on',
      'addr 10.77.0.1/24 dev cni0',
      'route 10.77.0.0/24 dev cni0 proto kernel scope link src 10.77.0.1',
    ],
  },
  {
    name: 'a link of another kind has our name',
    to: two,
    steps: [
      { kind: 'link-delete', link: vxlan },
      {
        kind: 'link-add',
        link: { name: 'flannel.1', detail: { kind: 'bridge' }, mac: mac(0x88), mtu: 1500 },
      },
    ],
    lost: [deviceLine, 'addr 10.1.0.0/32 dev flannel.1', ...rows, ...fdbRows],
    instead: ['flannel.1 address 02:00:00:00:00:88 mtu 1500 down type bridge'],
  },
  {
    name: 'the underlay goes down and up: routes through it go, those of the VXLAN device stay',
    to: 'host-gw in both families, metrics, multipath, routes that lead nowhere',
    steps: [
      { kind: 'link-set', link: { ...underlay, up: false }, was: { ...underlay, up: true } },
      { kind: 'link-set', link: { ...underlay, up: true }, was: { ...underlay, up: false } },
      { kind: 'address-add', address: { link: 'u0', prefix: prefix('2001:db8::1/64'), noDad: true } },
    ],
    lost: [
      'route 10.1.2.0/24 via 192.0.2.2 dev u0 proto 78',
      'route 10.1.3.0/24 via 192.0.2.3 dev u0 proto 78 mtu 1400 advmss 1360',
      'route 10.1.4.0/24 proto 78 nexthop via 192.0.2.4 dev u0 weight 3 nexthop via 192.0.2.5 dev u0 weight 1',
      'route 10.1.5.0/24 via 10.200.0.1 dev u0 proto 78 src 192.0.2.1 metric 20',
      'route 10.200.0.0/24 dev u0 proto 78 scope link',
      'route 2001:db8:3::/64 via 2001:db8::3 dev u0 proto 78 mtu 1400',
    ],
  },
  {
    name: 'promiscuity and the length of a queue are changed by hand',
    to: 'a bridge that takes in all frames, an IFB device with a queue of its own',
    steps: [
      { kind: 'link-set', link: { ...bridge, promiscuous: false }, was: { ...bridge, promiscuous: true } },
      { kind: 'link-set', link: { ...mirror, txQueueLength: 32 }, was: mirror },
    ],
    lost: [
      'cni0 address 02:00:00:00:00:c0 mtu 1450 promisc on up type bridge',
      'ifb1 txqueuelen 64 address 02:00:00:00:00:f1 mtu 1500 up type ifb',
    ],
    instead: [
      'cni0 address 02:00:00:00:00:c0 mtu 1450 up type bridge',
      'ifb1 txqueuelen 32 address 02:00:00:00:00:f1 mtu 1500 up type ifb',
    ],
  },
];

/** A bridge that tells VLANs apart, and a port of it. */
export const vlanSurroundings: readonly RouteStep[] = [
  {
    kind: 'link-add',
    link: { name: 'cni0', detail: { kind: 'bridge', vlanFiltering: true }, up: true },
  },
  { kind: 'link-add', link: { name: 'veth1', detail: { kind: 'veth' }, up: true, master: 'cni0' } },
];

export interface VlanState {
  readonly name: string;
  readonly vlans: readonly PortVlan[];
}

/** What a port, or the bridge itself, can be a member of: the tests go from each to each. */
export const vlanStates: readonly VlanState[] = [
  { name: 'no VLAN', vlans: [] },
  { name: 'as the kernel begins', vlans: [{ first: 1, last: 1, pvid: true, untagged: true }] },
  { name: 'one VLAN without tags', vlans: [{ first: 100, last: 100, pvid: true, untagged: true }] },
  {
    name: 'a trunk beside the default',
    vlans: [
      { first: 1, last: 1, pvid: true, untagged: true },
      { first: 10, last: 20, pvid: false, untagged: false },
      { first: 4094, last: 4094, pvid: false, untagged: false },
    ],
  },
  {
    name: 'one VLAN without tags and a trunk around it, the default kept',
    vlans: [
      { first: 1, last: 1, pvid: false, untagged: true },
      { first: 90, last: 99, pvid: false, untagged: false },
      { first: 100, last: 100, pvid: true, untagged: true },
      { first: 101, last: 110, pvid: false, untagged: false },
    ],
  },
];

export interface RefusalCase {
  readonly name: string;
  readonly step: RouteStep;
  /** The error's message; undefined when the step must count as done. */
  readonly error: string | undefined;
}

/** Steps on the surroundings alone. */
export const refusals: readonly RefusalCase[] = [
  {
    name: 'a gateway that is not reachable',
    step: { kind: 'route-set', route: route('10.1.2.0/24', [{ gateway: ip('10.9.9.9') }]) },
    error:
      'Cannot set route "10.1.2.0/24 via 10.9.9.9 proto 78": network is unreachable (ENETUNREACH): Nexthop has invalid gateway',
  },
  {
    name: 'an IPv6 gateway that is not reachable',
    step: { kind: 'route-set', route: route('2001:db8:3::/64', [{ gateway: ip('2001:db8:9::9') }]) },
    error:
      'Cannot set route "2001:db8:3::/64 via 2001:db8:9::9 proto 78": host is unreachable (EHOSTUNREACH)',
  },
  {
    name: 'the same with onlink and a device',
    step: {
      kind: 'route-set',
      route: route('10.1.2.0/24', [{ gateway: ip('10.9.9.9'), link: 'u0', onlink: true }]),
    },
    error: undefined,
  },
  {
    name: 'a source that is no address of the node',
    step: { kind: 'route-set', route: route('10.1.2.0/24', [{ link: 'u0' }], { source: ip('10.9.9.9') }) },
    error:
      'Cannot set route "10.1.2.0/24 dev u0 proto 78 src 10.9.9.9": invalid argument (EINVAL): Invalid prefsrc address',
  },
  {
    name: 'a link that is not there',
    step: {
      kind: 'link-set',
      link: { name: 'nope', detail: { kind: 'dummy' }, up: true },
      was: { name: 'nope', detail: { kind: 'dummy' } },
    },
    error: 'Cannot set link "nope up type dummy": no such device (ENODEV)',
  },
  {
    name: 'an underlay that is not there',
    step: {
      kind: 'link-add',
      link: { name: 'x0', detail: { kind: 'vxlan', vni: 1, port: 8472, underlay: 'nope', learning: false } },
    },
    error:
      'Cannot add link "x0 type vxlan id 1 dev nope dstport 8472 nolearning": no such device (ENODEV): Cannot find link "nope": no such device (ENODEV)',
  },
  {
    name: 'a link of a name that is taken',
    step: { kind: 'link-add', link: { name: 'u0', detail: { kind: 'bridge' } } },
    error: 'Cannot add link "u0 type bridge": file already exists (EEXIST)',
  },
  {
    name: 'a link that is there as wanted',
    step: { kind: 'link-add', link: { name: 'u0', detail: { kind: 'veth' }, up: true } },
    error: undefined,
  },
  {
    name: 'an address that is there',
    step: { kind: 'address-add', address: { link: 'u0', prefix: prefix('192.0.2.1/24') } },
    error: undefined,
  },
  {
    name: 'a port of no bridge',
    step: { kind: 'port-set', port: { link: 'u0', hairpin: true } },
    error: 'Cannot set bridge port "dev u0 hairpin on": operation not supported on socket (EOPNOTSUPP)',
  },
  {
    name: 'a VLAN of what is no port of a bridge',
    step: {
      kind: 'vlan-set',
      link: 'u0',
      vlan: { first: 5, last: 7, pvid: false, untagged: true },
      self: false,
    },
    error: 'Cannot set VLAN "dev u0 vid 5-7 untagged": operation not supported on socket (EOPNOTSUPP)',
  },
  {
    name: 'a VLAN of a link that is not there',
    step: {
      kind: 'vlan-set',
      link: 'nope',
      vlan: { first: 5, last: 5, pvid: true, untagged: true },
      self: false,
    },
    error:
      'Cannot set VLAN "dev nope vid 5 pvid untagged": no such device (ENODEV): Cannot find link "nope": no such device (ENODEV)',
  },
  {
    name: 'leaving a VLAN with a link that is not there',
    step: {
      kind: 'vlan-delete',
      link: 'nope',
      vlan: { first: 5, last: 5, pvid: true, untagged: true },
      self: false,
    },
    error: undefined,
  },
  {
    name: 'deleting a link that is not there',
    step: { kind: 'link-delete', link: { name: 'nope', detail: { kind: 'dummy' } } },
    error: undefined,
  },
  {
    name: 'deleting an address that is not there',
    step: { kind: 'address-delete', address: { link: 'u0', prefix: prefix('10.9.9.9/24') } },
    error: undefined,
  },
  {
    name: 'deleting an address of a link that is not there',
    step: { kind: 'address-delete', address: { link: 'nope', prefix: prefix('10.9.9.9/24') } },
    error: undefined,
  },
  {
    name: 'deleting a route that is not there',
    step: { kind: 'route-delete', route: route('10.9.9.0/24', [{ link: 'u0' }]) },
    error: undefined,
  },
  {
    name: 'deleting a neighbour that is not there',
    step: {
      kind: 'neighbour-delete',
      neighbour: { link: 'u0', address: ip('192.0.2.9'), state: 'permanent' },
    },
    error: undefined,
  },
  {
    name: 'deleting a rule that is not there',
    step: {
      kind: 'rule-delete',
      rule: { family: 4, priority: 9, table: 9, protocol: netloomRouteProtocol, action: 'lookup' },
    },
    error: undefined,
  },
];

const defaultRules: ReadonlySet<number> = new Set([0, 32_766, 32_767]);
const surrounding = {
  links: new Set(['lo', 'u0', 'u1', 'eth1']),
  text: new Set([
    'addr 192.0.2.1/24 dev u0',
    'addr 2001:db8::1/64 dev u0 nodad',
    'route 192.0.2.0/24 dev u0 proto kernel scope link src 192.0.2.1',
    'route 2001:db8::/64 dev u0 proto kernel metric 256',
    'addr 127.0.0.1/8 scope host dev lo',
    'addr ::1/128 scope host dev lo',
  ]),
};

/** The state as lines that an operator reads, without the surroundings and what the kernel does by itself. */
export function show(driver: RouteDriver): readonly string[] {
  const state = driver.read();
  const links = [...state.links.values()]
    .filter(({ name }) => !surrounding.links.has(name))
    .map((link) => {
      const { alias, detail, master, txQueueLength } = link;
      return linkText({
        ...link,
        txQueueLength: detail.kind === 'ifb' ? txQueueLength : undefined,
        alias: alias === '' ? undefined : alias,
        master: master === '' ? undefined : master,
      });
    });
  const shown = (prefixed: string, lines: readonly string[]): readonly string[] =>
    lines.map((line) => `${prefixed} ${line}`);
  return [
    ...links.toSorted(),
    ...shown('port', [...state.ports.values()].map(portText)).toSorted(),
    ...shown(
      'addr',
      [...state.addresses.values()].filter((address) => !address.prefix.address.isLinkLocal).map(addressText),
    ).toSorted(),
    ...shown(
      'neigh',
      [...state.neighbours.values()]
        .filter((neighbour) => neighbour.state === 'permanent')
        .map(neighbourText),
    ).toSorted(),
    ...shown(
      'fdb',
      [...state.fdb.values()].filter(({ link, self }) => self && link === 'flannel.1').map(fdbText),
    ).toSorted(),
    ...shown(
      'route',
      [...state.routes.values()]
        .filter(({ destination, table }) => table !== 255 && !destination.address.isLinkLocal)
        .map(routeText),
    ).toSorted(),
    ...shown(
      'rule',
      [...state.rules.values()].filter((rule) => !defaultRules.has(rule.priority)).map(ruleText),
    ).toSorted(),
  ].filter((line) => !surrounding.text.has(line));
}
