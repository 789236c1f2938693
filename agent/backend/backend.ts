// What every backend takes and gives: from the network's configuration, the leases and the underlay to kernel objects, and to
// what this node tells the others. Which backend does it how is in the files beside.

import type { FdbEntry, InterfaceAddress, Link, Neighbour, Route } from '../../kernel/route/objects.ts';
import type { IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import type { Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import type { CarriedPeer, CarrierDevice } from '../carrier/carrier.ts';
import type { RouteLookup } from '../route-lookup.ts';
import type { Underlay } from '../underlay.ts';

/** What a backend needs whoever the peers are. */
export interface BackendDevices {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  /** Routes of the whole network's; a peer's own are its parts. */
  readonly routes?: readonly Route[];
  readonly carriers?: readonly CarrierDevice[];
  /** The pods' MTU. */
  readonly mtu: number;
}

/** What a backend makes of one peer. It depends on this peer's lease alone, none of the others'. */
export interface PeerParts {
  readonly plan: PeerPlan;
  readonly neighbours: readonly Neighbour[];
  readonly fdb: readonly FdbEntry[];
  readonly routes: readonly Route[];
  readonly carried?: readonly CarriedPeer[];
}

/** How the packets of one peer go; "external" is not this node's business. */
export type PeerPath =
  | 'vxlan'
  | 'ipip'
  | 'wireguard'
  | 'udp'
  | 'extension'
  | 'direct'
  | 'external'
  | 'unreachable';

/** True when they go through a device of the backend's. */
export function isTunnelled(path: PeerPath): boolean {
  return path === 'vxlan' || path === 'ipip' || path === 'wireguard' || path === 'udp';
}

export interface PeerPlan {
  readonly lease: Lease;
  readonly path: PeerPath;
  /** Keys of its objects in the state (see objects.ts): it is programmed when all of them are there. */
  readonly keys: PeerKeys;
  /** Why it cannot be reached by this backend. */
  readonly problem?: string | undefined;
}

export interface PeerKeys {
  readonly neighbours: readonly string[];
  readonly fdb: readonly string[];
  readonly routes: readonly string[];
  /** Names of what carriers do for it. */
  readonly carried?: readonly string[];
}

export interface BackendInput {
  readonly config: NetworkConfig;
  readonly own: Lease;
  readonly underlay: Underlay;
  readonly routeTo: RouteLookup;
}

/** What a node tells the others beside its subnets. */
export type Advertisement = Pick<
  Lease,
  'publicIp' | 'publicIp6' | 'backendType' | 'backendData' | 'backendDataV6'
>;

/** The hardware addresses of the devices that Netloom makes, by link name. */
export type DeviceMacs = (link: string) => Mac;

/** The public key of this node's WireGuard. Throws when it cannot be had: the file of the private one is spoilt ... */
export type WireguardPublicKey = () => WireguardKey;

/** One family of a peer: its subnet and the address that it is reached by. */
export interface PeerFamily {
  readonly subnet: Prefix;
  readonly publicIp: IpAddress;
}

/** The families of a peer that this node's network has as well. */
export function peerFamilies(lease: Lease, config: NetworkConfig): readonly PeerFamily[] {
  const families: PeerFamily[] = [];
  if (config.ip4 !== undefined && lease.subnet !== undefined && lease.publicIp !== undefined) {
    families.push({ subnet: lease.subnet, publicIp: lease.publicIp });
  }
  if (config.ip6 !== undefined && lease.subnet6 !== undefined && lease.publicIp6 !== undefined) {
    families.push({ subnet: lease.subnet6, publicIp: lease.publicIp6 });
  }
  return families;
}

/** True when packets to the address leave by the underlay without a router between. */
export function isDirect(address: IpAddress, { underlay, routeTo }: BackendInput): boolean {
  const stop = routeTo(address);
  return stop !== undefined && stop.gateway === undefined && stop.link === underlay.link;
}
