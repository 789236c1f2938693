// The backends that the path's benchmark measures, and how somebody makes each by hand with iproute2's tools. Data and text: who runs them
// is peer-path.ts. What this machine's kernel lacks is found out by trying.
import type { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { bridge, wire } from './path-hosts.ts';

/** One of the two machines, for whoever makes its way by hand. */
export interface HandEnd {
  readonly number: 1 | 2;
  /** On the wire. */
  readonly address: IpAddress;
  readonly subnet: Prefix;
  /** Of a VXLAN device. */
  readonly mac: string;
}

export interface HandMade {
  /** The pods'. */
  readonly mtu: number;
  /** For `ip -batch` on a machine, from itself to the other. */
  readonly ip: (own: HandEnd, other: HandEnd) => readonly string[];
  /** For `bridge -batch`. */
  readonly bridge?: (own: HandEnd, other: HandEnd) => readonly string[];
}

/** Needs keys, which `wg` makes: its lines are peer-path.ts's. */
export interface WireguardByHand {
  readonly kind: 'wireguard';
  readonly mtu: number;
}

export interface PathBackend {
  readonly name: string;
  /** "Backend" of the network's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What it is measured beside. "naive-loop": there is no such thing in the kernel. */
  readonly peer: ({ readonly kind: 'hand' } & HandMade) | WireguardByHand | { readonly kind: 'naive-loop' };
}

const wireMtu = 1500;
const network = Prefix.parse('10.65.0.0/16');
export const handNetwork = network;

export function handEnd(number: 1 | 2, address: IpAddress): HandEnd {
  return {
    number,
    address,
    subnet: new Prefix(network.address.plus(number * 256), 24),
    mac: `02:00:00:00:65:0${number}`,
  };
}

/** The bridge of the pods, which every way needs. */
export function bridgeLines({ subnet }: HandEnd, mtu: number): readonly string[] {
  return [
    `link add ${bridge} mtu ${mtu} type bridge`,
    `addr add ${subnet.first().plus(1)}/${subnet.length} dev ${bridge}`,
    `link set ${bridge} up`,
  ];
}

const plainRoute: HandMade = {
  mtu: wireMtu,
  ip: (_, other) => [`route add ${other.subnet} via ${other.address} dev ${wire}`],
};

/** A device, the subnet's first address on it, and the route to the other's subnet. */
function tunnelLines(
  own: HandEnd,
  { device, route }: { readonly device: string; readonly route: string },
): readonly string[] {
  const [name = ''] = device.split(' ');
  return [
    `link add ${device}`,
    `addr add ${own.subnet.first()}/32 dev ${name}`,
    `link set ${name} up`,
    `route add ${route}`,
  ];
}

const vxlan: HandMade = {
  mtu: wireMtu - 50,
  ip: (own, other) => [
    ...tunnelLines(own, {
      device: `flannel.1 address ${own.mac} mtu ${wireMtu - 50} type vxlan id 1 local ${own.address} dev ${wire} dstport 8472 nolearning`,
      route: `${other.subnet} via ${other.subnet.first()} dev flannel.1 onlink`,
    }),
    `neigh add ${other.subnet.first()} lladdr ${other.mac} dev flannel.1 nud permanent`,
  ],
  bridge: (_, other) => [`fdb add ${other.mac} dev flannel.1 dst ${other.address} self permanent`],
};

const ipip: HandMade = {
  mtu: wireMtu - 20,
  ip: (own, other) =>
    tunnelLines(own, {
      device: `flannel.ipip mtu ${wireMtu - 20} type ipip local ${own.address}`,
      route: `${other.subnet} via ${other.address} dev flannel.ipip onlink`,
    }),
};

export const pathBackends: readonly PathBackend[] = [
  { name: 'host-gw', config: { Type: 'host-gw' }, peer: { kind: 'hand', ...plainRoute } },
  // Its pods have the MTU of the tunnel, which other peers may need.
  {
    name: 'direct',
    config: { Type: 'vxlan', DirectRouting: true },
    peer: { kind: 'hand', ...plainRoute, mtu: vxlan.mtu },
  },
  { name: 'vxlan', config: { Type: 'vxlan' }, peer: { kind: 'hand', ...vxlan } },
  { name: 'udp', config: { Type: 'udp' }, peer: { kind: 'naive-loop' } },
  { name: 'ipip', config: { Type: 'ipip' }, peer: { kind: 'hand', ...ipip } },
  {
    name: 'wireguard',
    config: { Type: 'wireguard' },
    peer: { kind: 'wireguard', mtu: wireMtu - 80 },
  },
];

/** What naive loops carry: the wire's MTU without IPv4 and UDP header. */
export const naiveMtu = wireMtu - 28;
