// The udp backend, flannel's objects and wire format: a TUN device, the network's route through it, and a thread that sends each packet, as it
// is, as a datagram to the node whose subnet it is for (carrier/udp/). For networks that let nothing else through.
import { Prefix } from '../../net/prefix.ts';
import type { UdpConfig } from '../../store/backend-config.ts';
import type { Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import { netloomAlias } from '../alias.ts';
import { type CarriedPeer, carriedName } from '../carrier/carrier.ts';
import type { Underlay } from '../underlay.ts';
import type { Advertisement, BackendDevices, BackendInput, PeerParts } from './backend.ts';
import { networkRoute } from './peer-route.ts';

/** flannel asks the kernel for "flannel%d" and gets this one on a machine of its own. */
export const udpDeviceName = 'flannel0';

/** The outer IPv4 and UDP headers: the packet follows them as it is. */
export const udpOverhead = 28;

/** Why this node cannot run the backend; undefined when it can. */
export function whyNotUdp(network: Pick<NetworkConfig, 'ip6'>): string | undefined {
  if (network.ip6 === undefined) return undefined;
  return `Cannot run backend "udp" for "${network.ip6.network}": it carries IPv4 only; take "vxlan" or "host-gw" for IPv6`;
}

/** flannel's leases of this backend say nothing of it: an empty type. */
export function advertiseUdp({ ip4 }: Underlay): Advertisement {
  return { publicIp: ip4?.publicIp, publicIp6: undefined, backendType: '' };
}

export interface PlanUdpInput extends BackendInput {
  readonly udp: UdpConfig;
}

export function udpDevices({ config, udp, own, underlay }: PlanUdpInput): BackendDevices {
  const mtu = underlay.mtu - udpOverhead;
  const { subnet } = own;
  const network = config.ip4?.network;
  if (underlay.ip4 === undefined || subnet === undefined || network === undefined) {
    return { links: [], addresses: [], mtu };
  }
  const link = udpDeviceName;
  const { address, publicIp } = underlay.ip4;
  return {
    links: [{ name: link, detail: { kind: 'tun' }, mtu, up: true, alias: netloomAlias }],
    // A single address, so that no broadcast route appears on the overlay.
    addresses: [{ link, prefix: Prefix.host(subnet.first()), scope: 'global' }],
    // Not one a peer: what is for nobody's subnet must not leave by the default route, but be answered by the thread.
    routes: [networkRoute({ network, link })],
    carriers: [{ kind: 'udp', link, address, port: udp.port, publicIp, network, subnet }],
    mtu,
  };
}

/** The lease is a checked one (peers.ts). */
export function planUdpPeer(lease: Lease): PeerParts {
  const { subnet, publicIp } = lease;
  const carried: CarriedPeer[] = [];
  if (subnet !== undefined && publicIp !== undefined) {
    carried.push({ kind: 'udp', link: udpDeviceName, subnet, publicIp });
  }
  const keys = { neighbours: [], fdb: [], routes: [], carried: carried.map(carriedName) };
  return { plan: { lease, path: 'udp', keys }, neighbours: [], fdb: [], routes: [], carried };
}
