import { describe, expect, test } from '@jest/globals';
import { type RouteObjects, routeState } from '../kernel/route/objects.ts';
import { planRoute } from '../kernel/route/plan.ts';
import { routeStepText } from '../kernel/route/text.ts';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Lease } from '../store/lease.ts';
import type { NetworkConfig } from '../store/network-config.ts';
import { advertise } from './backend/choose-backend.ts';
import { type DesiredState, desiredState, type NodeChoices } from './desired-state.ts';
import { hashedMac } from './device-macs.ts';
import { peerName } from './peer-name.ts';
import { routeLookup } from './route-lookup.ts';
import {
  leaseMap,
  sampleConfig,
  sampleLease,
  sampleMachine,
  sampleUnderlay,
  sampleWireguardKey,
} from './sample-cluster.ts';

const choices: NodeChoices = {
  bridge: 'cni0',
  subnetFile: '/run/flannel/subnet.env',
  masquerade: 'nftables',
  masqueradeChoices: { exclude: [], randomFully: true, forward: true },
};

interface Sample {
  readonly config: NetworkConfig;
  readonly peers: readonly Lease[];
  readonly families?: readonly (4 | 6)[];
  readonly more?: RouteObjects;
  readonly spare?: (devices: readonly string[]) => ReadonlySet<string>;
}

function desire({ config, peers, families = [4], more = {}, spare }: Sample): DesiredState {
  const actual = sampleMachine(more);
  const underlay = sampleUnderlay(families);
  const macs = (link: string) => hashedMac('node-1', link);
  const { subnet, subnet6 } = sampleLease({ number: 1, families });
  const own = {
    node: 'node-1',
    subnet,
    subnet6,
    ...advertise({ config, underlay, macs, wireguardKey: sampleWireguardKey }),
  };
  return desiredState({
    config,
    own,
    leases: leaseMap(peers),
    underlay,
    routeTo: routeLookup(actual),
    choices,
    macs,
    actual,
    ...(spare === undefined ? {} : { spare }),
  });
}

/** The whole state in the operator's language: the commands that make it from nothing. */
function commands({ route, scope }: DesiredState): readonly string[] {
  return planRoute(route, routeState({}), scope).map(routeStepText);
}

const mac4 = hashedMac('node-1', 'flannel.1');
const mac6 = hashedMac('node-1', 'flannel-v6.1');
const bridgeMac = hashedMac('node-1', 'cni0');

describe('vxlan', () => {
  test('IPv4: device, address, and for each peer neighbour, FDB row, route', () => {
    const peers = [sampleLease({ number: 3 }), sampleLease({ number: 2 })];
    const desired = desire({ config: sampleConfig({}), peers });
    expect(commands(desired)).toEqual([
      `ip link add flannel.1 address ${mac4} mtu 1450 up type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning && ip link set flannel.1 alias "netloom"`,
      `ip link add cni0 address ${bridgeMac} mtu 1450 up type bridge && ip link set cni0 alias "netloom"`,
      'ip address add 10.244.1.0/32 dev flannel.1',
      'ip address add 10.244.1.1/24 dev cni0',
      'ip neigh replace 10.244.2.0 lladdr 02:00:00:00:04:02 dev flannel.1 nud permanent',
      'ip neigh replace 10.244.3.0 lladdr 02:00:00:00:04:03 dev flannel.1 nud permanent',
      'bridge fdb replace 02:00:00:00:04:02 dev flannel.1 dst 192.0.2.2 self permanent',
      'bridge fdb replace 02:00:00:00:04:03 dev flannel.1 dst 192.0.2.3 self permanent',
      'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto 78',
      'ip route replace 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink proto 78',
    ]);
    expect(Object.fromEntries(desired.sysctls)).toEqual({
      'net/ipv4/ip_forward': '1',
      'net/ipv6/conf/flannel.1/accept_ra': '0',
      'net/ipv6/conf/cni0/accept_ra': '0',
    });
    expect([...desired.files]).toEqual([
      [
        '/run/flannel/subnet.env',
        'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
      ],
    ]);
  });

  test('both families: a device each, and the pods get the lesser MTU', () => {
    const families = [4, 6] as const;
    const peers = [sampleLease({ number: 2, families })];
    const desired = desire({ config: sampleConfig({ families }), peers, families });
    expect(commands(desired)).toEqual([
      `ip link add flannel.1 address ${mac4} mtu 1450 up type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning && ip link set flannel.1 alias "netloom"`,
      `ip link add flannel-v6.1 address ${mac6} mtu 1430 up type vxlan id 1 local 2001:db8::1 dev eth0 dstport 8472 nolearning && ip link set flannel-v6.1 alias "netloom"`,
      `ip link add cni0 address ${bridgeMac} mtu 1430 up type bridge && ip link set cni0 alias "netloom"`,
      'ip address add 10.244.1.0/32 dev flannel.1',
      'ip -6 address add fd00:244:0:1::/128 dev flannel-v6.1 nodad',
      'ip address add 10.244.1.1/24 dev cni0',
      'ip -6 address add fd00:244:0:1::1/64 dev cni0 nodad',
      'ip neigh replace 10.244.2.0 lladdr 02:00:00:00:04:02 dev flannel.1 nud permanent',
      'ip -6 neigh replace fd00:244:0:2:: lladdr 02:00:00:00:06:02 dev flannel-v6.1 nud permanent',
      'bridge fdb replace 02:00:00:00:04:02 dev flannel.1 dst 192.0.2.2 self permanent',
      'bridge fdb replace 02:00:00:00:06:02 dev flannel-v6.1 dst 2001:db8::2 self permanent',
      'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto 78',
      'ip -6 route replace fd00:244:0:2::/64 via fd00:244:0:2:: dev flannel-v6.1 onlink proto 78',
    ]);
    expect(desired.mtu).toBe(1430);
    expect(desired.sysctls.get('net/ipv6/conf/all/forwarding')).toBe('1');
    for (const link of ['flannel.1', 'flannel-v6.1', 'cni0'])
      expect(desired.sysctls.get(`net/ipv6/conf/${link}/accept_dad`)).toBe('0');
  });

  test('options: VNI, port, MTU, learning', () => {
    const backend = { Type: 'vxlan', VNI: 42, Port: 4789, MTU: 1400, Learning: true };
    const desired = desire({ config: sampleConfig({ backend }), peers: [] });
    expect(commands(desired)[0]).toBe(
      `ip link add flannel.42 address ${hashedMac('node-1', 'flannel.42')} mtu 1350 up type vxlan id 42 local 192.0.2.1 dev eth0 dstport 4789 learning && ip link set flannel.42 alias "netloom"`,
    );
  });

  test('DirectRouting: a plain route to a peer on the link, the tunnel to one behind a router', () => {
    const backend = { Type: 'vxlan', DirectRouting: true };
    const peers = [sampleLease({ number: 2 }), sampleLease({ number: 3, publicIp: '203.0.113.3' })];
    const desired = desire({ config: sampleConfig({ backend }), peers });
    expect(commands(desired).slice(4)).toEqual([
      'ip neigh replace 10.244.3.0 lladdr 02:00:00:00:04:03 dev flannel.1 nud permanent',
      'bridge fdb replace 02:00:00:00:04:03 dev flannel.1 dst 203.0.113.3 self permanent',
      'ip route replace 10.244.2.0/24 via 192.0.2.2 dev eth0 proto 78',
      'ip route replace 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink proto 78',
    ]);
    expect(desired.peers.map(({ path }) => path)).toEqual(['direct', 'vxlan']);
  });

  test("nothing is put on a machine's own link that has a name of ours, and the rest is made", () => {
    const config = sampleConfig({ backend: { Type: 'vxlan', DirectRouting: true } });
    const peers = [sampleLease({ number: 2 }), sampleLease({ number: 3, publicIp: '203.0.113.3' })];
    const veth = { kind: 'veth', peer: { name: 'other' } } as const;
    const more = { links: [{ name: 'flannel.1', detail: veth, mtu: 1500, up: true }] };
    const desired = desire({ config, peers, more });
    expect(commands(desired)).toEqual([
      `ip link add cni0 address ${bridgeMac} mtu 1450 up type bridge && ip link set cni0 alias "netloom"`,
      'ip address add 10.244.1.1/24 dev cni0',
      'ip route replace 10.244.2.0/24 via 192.0.2.2 dev eth0 proto 78',
    ]);
    expect(desired.scope.links).toEqual(new Set(['cni0']));
    expect(desired.scope.addressesOn).toEqual(new Set(['cni0']));
    expect(desired.scope.fdbOn).toEqual(new Set());
    expect([...desired.sysctls.keys()]).toEqual(['net/ipv4/ip_forward', 'net/ipv6/conf/cni0/accept_ra']);
    const why = 'Cannot make link "flannel.1": a link of kind "veth" has this name; rename or delete that';
    expect([...desired.occupied]).toEqual([['flannel.1', why]]);
    expect(desired.peers.map(({ problem }) => problem)).toEqual([undefined, why]);
  });

  test("what an earlier configuration of ours left is collected, what is a stranger's is not", () => {
    const vxlan = (vni: number) =>
      ({ kind: 'vxlan', vni, port: 8472, underlay: 'eth0', learning: false }) as const;
    const actual = sampleMachine({
      links: [
        { name: 'flannel.7', detail: vxlan(7), mac: mac4, mtu: 1450, up: true, alias: 'netloom' },
        { name: 'flannel.8', detail: vxlan(8), mac: mac4, mtu: 1450, up: true },
        { name: 'br7', detail: { kind: 'bridge' }, mac: bridgeMac, mtu: 1450, up: true, alias: 'netloom' },
      ],
      routes: [
        {
          destination: Prefix.parse('10.244.9.0/24'),
          table: 254,
          priority: 0,
          protocol: 78,
          type: 'unicast',
          scope: 'global',
          hops: [{ gateway: IpAddress.parse('192.0.2.9'), link: 'eth0' }],
        },
        {
          destination: Prefix.parse('10.99.0.0/24'),
          table: 254,
          priority: 0,
          protocol: 3,
          type: 'unicast',
          scope: 'global',
          hops: [{ gateway: IpAddress.parse('192.0.2.9'), link: 'eth0' }],
        },
      ],
    });
    const desired = desire({
      config: sampleConfig({}),
      peers: [],
      more: { links: [...actual.links.values()].slice(3) },
    });
    const deletions = planRoute(desired.route, actual, desired.scope)
      .map(routeStepText)
      .filter((text) => / delete /.test(text));
    expect(deletions).toEqual([
      'ip route delete 10.244.9.0/24 via 192.0.2.9 dev eth0 proto 78',
      'ip link delete flannel.7',
      'ip link delete br7',
    ]);
  });
});

describe('udp', () => {
  const backend = { Type: 'udp', Port: 9000 };
  // As flannel's leases are, and as somebody may write them.
  const peers = [sampleLease({ number: 2, backend: '' }), sampleLease({ number: 3, backend: 'udp' })];

  test('a TUN device, the route of the network, and what the thread is told', () => {
    const desired = desire({ config: sampleConfig({ backend }), peers });
    expect(commands(desired)).toEqual([
      'ip tuntap add dev flannel0 mode tun && ip link set flannel0 mtu 1472 alias "netloom" up',
      `ip link add cni0 address ${bridgeMac} mtu 1472 up type bridge && ip link set cni0 alias "netloom"`,
      'ip address add 10.244.1.0/32 dev flannel0',
      'ip address add 10.244.1.1/24 dev cni0',
      'ip route replace 10.244.0.0/16 dev flannel0 proto 78 scope link',
    ]);
    expect(desired.peers.map(({ path }) => path)).toEqual(['udp', 'udp']);
    expect(desired.mtu).toBe(1472);
    expect(JSON.parse(JSON.stringify(desired.carrier.devices))).toEqual([
      {
        kind: 'udp',
        link: 'flannel0',
        address: '192.0.2.1',
        port: 9000,
        publicIp: '192.0.2.1',
        network: '10.244.0.0/16',
        subnet: '10.244.1.0/24',
      },
    ]);
    expect([...desired.carrier.peers.keys()]).toEqual([
      'flannel0 peer 10.244.2.0/24',
      'flannel0 peer 10.244.3.0/24',
    ]);
  });

  test('a peer of another backend is left out by the name that people know', () => {
    const wireguard = sampleLease({ number: 2, backend: 'wireguard' });
    const { rejected } = desire({ config: sampleConfig({ backend }), peers: [wireguard] });
    expect(rejected.map(({ reason }) => reason)).toEqual([
      'its backend is "wireguard", this node\'s is "udp"',
    ]);
  });
});

describe('while a cluster is changed', () => {
  const far = { number: 4, publicIp: '203.0.113.4' };

  test('a peer of another backend gets a plain route, one behind a router is left out', () => {
    const peers = [
      sampleLease({ number: 2 }),
      sampleLease({ number: 3, backend: 'host-gw' }),
      sampleLease({ ...far, backend: 'host-gw' }),
    ];
    const desired = desire({ config: sampleConfig({}), peers });
    expect(commands(desired).slice(4)).toEqual([
      'ip neigh replace 10.244.2.0 lladdr 02:00:00:00:04:02 dev flannel.1 nud permanent',
      'bridge fdb replace 02:00:00:00:04:02 dev flannel.1 dst 192.0.2.2 self permanent',
      'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto 78',
      'ip route replace 10.244.3.0/24 via 192.0.2.3 dev eth0 proto 78',
    ]);
    expect(desired.peers.map(({ path }) => path)).toEqual(['vxlan', 'direct']);
    expect(desired.rejected.map(({ lease }) => lease.node)).toEqual(['node-4']);
  });

  test('both nodes take the same way', () => {
    const config = sampleConfig({ backend: { Type: 'host-gw' } });
    const desired = desire({ config, peers: [sampleLease({ number: 3 })] });
    expect(commands(desired).slice(2)).toEqual([
      'ip route replace 10.244.3.0/24 via 192.0.2.3 dev eth0 proto 78',
    ]);
  });

  test('the device of the former backend stays as long as it is spared, and no longer', () => {
    const detail = { kind: 'vxlan', vni: 1, port: 8472, underlay: 'eth0', learning: false } as const;
    const links = [
      { name: 'flannel.1', detail, mac: mac4, mtu: 1450, up: true, alias: 'netloom' },
      { name: 'br7', detail: { kind: 'bridge' }, mac: bridgeMac, mtu: 1450, up: true, alias: 'netloom' },
    ] as const;
    const config = sampleConfig({ backend: { Type: 'host-gw' } });
    const asked: string[] = [];
    const deletions = (spared: readonly string[], peers: readonly Lease[] = []) => {
      const spare = (devices: readonly string[]) => {
        asked.push(...devices);
        return new Set(spared);
      };
      const desired = desire({ config, peers, more: { links }, spare });
      return planRoute(desired.route, sampleMachine({ links }), desired.scope)
        .map(routeStepText)
        .filter((text) => / delete /.test(text));
    };
    expect(deletions(['flannel.1'])).toEqual(['ip link delete br7']);
    expect(deletions([])).toEqual(['ip link delete flannel.1', 'ip link delete br7']);
    // One that cannot follow goes on sending by it.
    expect(deletions([], [sampleLease({ number: 2 })])).not.toContain('ip link delete flannel.1');
    expect(asked).toEqual(['flannel.1', 'flannel.1', 'flannel.1']);
  });
});

describe('ipip', () => {
  const far = { number: 3, backend: 'ipip', publicIp: '203.0.113.3' };
  const peers = [sampleLease({ number: 2, backend: 'ipip' }), sampleLease(far)];

  test('a device, and for each peer a route by its public address', () => {
    const desired = desire({ config: sampleConfig({ backend: { Type: 'ipip' } }), peers });
    expect(commands(desired)).toEqual([
      'ip link add flannel.ipip mtu 1480 up type ipip local 192.0.2.1 && ip link set flannel.ipip alias "netloom"',
      `ip link add cni0 address ${bridgeMac} mtu 1480 up type bridge && ip link set cni0 alias "netloom"`,
      'ip address add 10.244.1.0/32 dev flannel.ipip',
      'ip address add 10.244.1.1/24 dev cni0',
      'ip route replace 10.244.2.0/24 via 192.0.2.2 dev flannel.ipip onlink proto 78',
      'ip route replace 10.244.3.0/24 via 203.0.113.3 dev flannel.ipip onlink proto 78',
    ]);
    expect(desired.peers.map(({ path }) => path)).toEqual(['ipip', 'ipip']);
    expect(desired.mtu).toBe(1480);
  });

  test('DirectRouting: a plain route to a peer on the link', () => {
    const backend = { Type: 'ipip', DirectRouting: true };
    const desired = desire({ config: sampleConfig({ backend }), peers });
    expect(commands(desired).slice(4)).toEqual([
      'ip route replace 10.244.2.0/24 via 192.0.2.2 dev eth0 proto 78',
      'ip route replace 10.244.3.0/24 via 203.0.113.3 dev flannel.ipip onlink proto 78',
    ]);
    expect(desired.peers.map(({ path }) => path)).toEqual(['direct', 'ipip']);
  });

  test("nothing is put on a machine's own link of its name", () => {
    const config = sampleConfig({ backend: { Type: 'ipip' } });
    const links = [{ name: 'flannel.ipip', detail: { kind: 'dummy' }, mtu: 1500, up: true }] as const;
    const desired = desire({ config, peers, more: { links } });
    expect(commands(desired).some((text) => text.includes('flannel.ipip'))).toBe(false);
    expect(desired.peers.map(({ problem }) => problem)).toEqual(
      Array(2).fill(
        'Cannot make link "flannel.ipip": a link of kind "dummy" has this name; rename or delete that',
      ),
    );
  });
});

test('alloc: addresses for pods, and no way to others', () => {
  const config = sampleConfig({ backend: { Type: 'alloc' } });
  const desired = desire({ config, peers: [sampleLease({ number: 2, backend: 'alloc' })] });
  expect(commands(desired)).toEqual([
    `ip link add cni0 address ${bridgeMac} mtu 1500 up type bridge && ip link set cni0 alias "netloom"`,
    'ip address add 10.244.1.1/24 dev cni0',
  ]);
  expect(desired.peers.map(({ path, problem }) => [path, problem])).toEqual([['external', undefined]]);
});

describe('host-gw', () => {
  const backend = { Type: 'host-gw' };
  const hostGw = (number: number, more = {}) => sampleLease({ number, backend: 'host-gw', ...more });

  test('a route to each peer, the MTU of the underlay, no device', () => {
    const desired = desire({ config: sampleConfig({ backend }), peers: [hostGw(2), hostGw(3)] });
    expect(commands(desired)).toEqual([
      `ip link add cni0 address ${bridgeMac} mtu 1500 up type bridge && ip link set cni0 alias "netloom"`,
      'ip address add 10.244.1.1/24 dev cni0',
      'ip route replace 10.244.2.0/24 via 192.0.2.2 dev eth0 proto 78',
      'ip route replace 10.244.3.0/24 via 192.0.2.3 dev eth0 proto 78',
    ]);
  });

  test('a peer behind a router is reported, the others are reached', () => {
    const peers = [
      hostGw(2, { publicIp: '203.0.113.2' }),
      hostGw(3, { publicIp: '198.51.100.3' }),
      hostGw(4),
    ];
    const desired = desire({ config: sampleConfig({ backend }), peers });
    expect(commands(desired).slice(2)).toEqual([
      'ip route replace 10.244.4.0/24 via 192.0.2.4 dev eth0 proto 78',
    ]);
    expect(desired.peers.map(({ lease, problem }) => `${peerName(lease)}: ${problem ?? 'ok'}`)).toEqual([
      'node-2: its address "203.0.113.2" is not on a network of interface "eth0": host-gw needs all nodes on one',
      'node-3: its address "198.51.100.3" is not on a network of interface "eth0": host-gw needs all nodes on one',
      'node-4: ok',
    ]);
  });
});
