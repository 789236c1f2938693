// The objects of rtnetlink as values: what is (read from the kernel) and what should be have the same types. Objects name
// links, never indexes: an index is the driver's business. An absent optional field means "as the kernel likes". Past 300 lines: one
// vocabulary.
import type { IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Netns } from '../netns.ts';

/** Our route protocol number (rtm_protocol): routes that carry it are ours, and only those. Free in rt_protos of iproute2. */
export const netloomRouteProtocol = 78;

/** A veth pair: the peer is only named when the pair is made; `netns` puts it straight into another namespace. */
export interface VethDetail {
  readonly kind: 'veth';
  readonly peer?:
    | { readonly name: string; readonly mac?: Mac; readonly mtu?: number; readonly netns?: Netns }
    | undefined;
}

export interface BridgeDetail {
  readonly kind: 'bridge';
  /** Whether frames are told apart by VLAN; may change while the bridge lives. What ports are members of: PortVlan. */
  readonly vlanFiltering?: boolean | undefined;
}

export interface VxlanDetail {
  readonly kind: 'vxlan';
  readonly vni: number;
  /** UDP port of the outer packets. */
  readonly port: number;
  /** Source address of the outer packets; its family is the underlay's. */
  readonly local?: IpAddress | undefined;
  /** Name of the underlay link; the device goes when that link goes. */
  readonly underlay?: string | undefined;
  readonly learning: boolean;
  readonly gbp?: boolean | undefined;
}

/** A TUN device (layer 3). Made through /dev/net/tun, persistent. */
export interface TunDetail {
  readonly kind: 'tun';
}

export interface IfbDetail {
  readonly kind: 'ifb';
}

export interface DummyDetail {
  readonly kind: 'dummy';
}

export interface IpipDetail {
  readonly kind: 'ipip';
  readonly local?: IpAddress | undefined;
  readonly remote?: IpAddress | undefined;
}

/** The link only; keys and peers go over generic netlink. */
export interface WireguardDetail {
  readonly kind: 'wireguard';
}

/** Anything else: `type` is what the kernel calls it ("ipvlan"), empty for a physical device. Never made by us. */
export interface OtherDetail {
  readonly kind: 'other';
  readonly type: string;
}

export type LinkDetail =
  | VethDetail
  | BridgeDetail
  | VxlanDetail
  | TunDetail
  | IfbDetail
  | DummyDetail
  | IpipDetail
  | WireguardDetail
  | OtherDetail;

export interface Link {
  readonly name: string;
  readonly detail: LinkDetail;
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
  /** Administratively up (IFF_UP). */
  readonly up?: boolean | undefined;
  /** It takes in frames for any MAC, because somebody asked for that (IFF_PROMISC); not what bridges and sniffers switch on. */
  readonly promiscuous?: boolean | undefined;
  /** Name of the bridge it is a port of; "" for none. */
  readonly master?: string | undefined;
  /** Free text on the link (IFLA_IFALIAS), at most 255 bytes. */
  readonly alias?: string | undefined;
  readonly txQueueLength?: number | undefined;
  /** Read only: the kernel's number of the link in its namespace. */
  readonly index?: number | undefined;
  /** Read only: up and with carrier (operstate UP or UNKNOWN with IFF_RUNNING). */
  readonly running?: boolean | undefined;
}

/** Options of a link as a port of its bridge. */
export interface BridgePort {
  readonly link: string;
  /** Frames may leave through the port they came in by (a pod that reaches its own service). */
  readonly hairpin?: boolean | undefined;
  /** Isolated ports do not talk to each other. */
  readonly isolated?: boolean | undefined;
  readonly learning?: boolean | undefined;
}

/**
 * A range of VLANs that a port of a bridge, or the bridge itself, is a member of. Not in RouteState: it is read only when asked for
 * (RouteAccess.portVlans).
 */
export interface PortVlan {
  /** 1 to 4094. */
  readonly first: number;
  readonly last: number;
  /** Frames without a tag belong to it; only one VLAN of a port. */
  readonly pvid: boolean;
  /** Its frames leave without a tag. */
  readonly untagged: boolean;
}

export type Scope = 'global' | 'site' | 'link' | 'host' | 'nowhere';

export interface InterfaceAddress {
  readonly link: string;
  /** Address with its host bits and the length of its network. */
  readonly prefix: Prefix;
  readonly scope?: Scope | undefined;
  readonly broadcast?: IpAddress | undefined;
  /** IPv6: skip duplicate address detection (IFA_F_NODAD). */
  readonly noDad?: boolean | undefined;
  /** Read only. IFA_F_PERMANENT; false for an address with a lifetime (DHCP, SLAAC). */
  readonly permanent?: boolean | undefined;
  /** Read only. IFA_F_TEMPORARY (privacy) or IFA_F_DEPRECATED. */
  readonly temporary?: boolean | undefined;
  readonly deprecated?: boolean | undefined;
  /** Read only. IPv6: duplicate address detection goes on (IFA_F_TENTATIVE) or found one (IFA_F_DADFAILED). */
  readonly tentative?: boolean | undefined;
}

export interface NextHop {
  readonly gateway?: IpAddress | undefined;
  readonly link?: string | undefined;
  readonly onlink?: boolean | undefined;
  /** 1 to 256, among the hops of a multipath route. */
  readonly weight?: number | undefined;
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'other';

/** A route. One hop is an ordinary route, several are multipath, none goes with blackhole, unreachable and prohibit. */
export interface Route {
  /** "0.0.0.0/0" or "::/0" for the default route. */
  readonly destination: Prefix;
  /** Routing table; 254 is main. */
  readonly table: number;
  /** Metric; 0 for IPv4's and 1024 for IPv6's default. */
  readonly priority: number;
  /** Who put it there (rtm_protocol): 2 kernel, 3 boot, 4 static, 78 Netloom. */
  readonly protocol: number;
  readonly type: RouteType;
  /** Of IPv4; IPv6 has none, and does not heed a wanted one. */
  readonly scope?: Scope | undefined;
  readonly hops: readonly NextHop[];
  /** Preferred source address. */
  readonly source?: IpAddress | undefined;
  /** RTAX_MTU; 0 or absent: the link's. */
  readonly mtu?: number | undefined;
  /** RTAX_ADVMSS; 0 or absent: as the kernel computes it. */
  readonly advmss?: number | undefined;
}

export type NeighbourState =
  | 'permanent'
  | 'reachable'
  | 'stale'
  | 'noarp'
  | 'failed'
  | 'incomplete'
  | 'delay'
  | 'probe'
  | 'none';

export interface Neighbour {
  readonly link: string;
  readonly address: IpAddress;
  readonly mac?: Mac | undefined;
  readonly state: NeighbourState;
}

/** One row of a forwarding database. Of a VXLAN device: frames for `mac` go to the VTEP at `remote`. */
export interface FdbEntry {
  readonly link: string;
  readonly mac: Mac;
  /** VTEP; absent for a row of a bridge. */
  readonly remote?: IpAddress | undefined;
  /** True: the device's own table (NTF_SELF); false: its bridge's (NTF_MASTER). */
  readonly self: boolean;
  readonly state: NeighbourState;
}

/** A policy routing rule. */
export interface Rule {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly source?: Prefix | undefined;
  readonly destination?: Prefix | undefined;
  readonly mark?: number | undefined;
  readonly markMask?: number | undefined;
  readonly inputLink?: string | undefined;
  readonly table: number;
  readonly protocol: number;
  /** FRA_TABLE lookup, or one of the others. */
  readonly action: 'lookup' | 'blackhole' | 'unreachable' | 'prohibit' | 'other';
}

/** Everything of rtnetlink that Netloom reads or wants, keyed by the functions of this file. A state never changes. */
export interface RouteState {
  readonly links: ReadonlyMap<string, Link>;
  readonly ports: ReadonlyMap<string, BridgePort>;
  readonly addresses: ReadonlyMap<string, InterfaceAddress>;
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  readonly fdb: ReadonlyMap<string, FdbEntry>;
  readonly routes: ReadonlyMap<string, Route>;
  readonly rules: ReadonlyMap<string, Rule>;
}

export function linkKey(link: Link): string {
  return link.name;
}

export function portKey(port: BridgePort): string {
  return port.link;
}

export function addressKey(address: InterfaceAddress): string {
  return `${address.link} ${address.prefix}`;
}

export function neighbourKey(neighbour: Neighbour): string {
  return `${neighbour.link} ${neighbour.address}`;
}

/** A VXLAN device may hold several rows of one MAC (its all-zero default row), so the remote is part of the key. */
export function fdbKey(entry: FdbEntry): string {
  return `${entry.link} ${entry.mac} ${entry.self ? 'self' : 'master'} ${entry.remote ?? '-'}`;
}

/** What the kernel tells routes apart by: table, destination and metric. */
export function routeKey(route: Route): string {
  return `${route.table} ${route.destination} ${route.priority}`;
}

/**
 * The kernel may hold several routes of one key (`ip route append`, IPv6 prefixes of several links): the first, which is the
 * one in force, has the key itself, the others follow as "KEY #2", "KEY #3" ...
 */
export function routeKeyAt(key: string, place: number): string {
  return place === 1 ? key : `${key} #${place}`;
}

export function ruleKey(rule: Rule): string {
  const mark = rule.mark === undefined ? '-' : `${rule.mark}/${rule.markMask ?? 0xffffffff}`;
  return [
    rule.family,
    rule.priority,
    rule.source ?? 'all',
    rule.destination ?? 'all',
    mark,
    rule.inputLink ?? '-',
    rule.table,
  ].join(' ');
}

export interface RouteObjects {
  readonly links?: readonly Link[];
  readonly ports?: readonly BridgePort[];
  readonly addresses?: readonly InterfaceAddress[];
  readonly neighbours?: readonly Neighbour[];
  readonly fdb?: readonly FdbEntry[];
  readonly routes?: readonly Route[];
  readonly rules?: readonly Rule[];
}

/** Keys the objects. Of two with one key the later stays. */
export function routeState(objects: RouteObjects): RouteState {
  return {
    links: keyed(objects.links, linkKey),
    ports: keyed(objects.ports, portKey),
    addresses: keyed(objects.addresses, addressKey),
    neighbours: keyed(objects.neighbours, neighbourKey),
    fdb: keyed(objects.fdb, fdbKey),
    routes: keyed(objects.routes, routeKey),
    rules: keyed(objects.rules, ruleKey),
  };
}

function keyed<T>(objects: readonly T[] | undefined, key: (object: T) => string): ReadonlyMap<string, T> {
  return new Map((objects ?? []).map((object) => [key(object), object]));
}
