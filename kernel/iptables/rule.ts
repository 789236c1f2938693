// A rule of iptables as a value: what it asks of a packet, in the order it asks, and what becomes of one that fits. Reading and
// printing are rule-parse.ts and rule-text.ts.
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Transport } from '../../net/transport.ts';
import type { SetDirection } from '../ipset/ask-set.ts';

/** What a packet must have, or (`not`) must not have. */
export interface Criterion<T> {
  readonly value: T;
  readonly not: boolean;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** By their bits in xt_conntrack.h, the order in which iptables-save prints them. */
export const conntrackStates = [
  'INVALID',
  'NEW',
  'RELATED',
  'ESTABLISHED',
  'UNTRACKED',
  'SNAT',
  'DNAT',
] as const;
export type ConntrackState = (typeof conntrackStates)[number];

/** By their numbers in linux/rtnetlink.h (RTN_*), the order in which iptables-save prints them. */
export const routeTypes = ['UNICAST', 'LOCAL', 'BROADCAST', 'ANYCAST', 'MULTICAST'] as const;
export type RouteType = (typeof routeTypes)[number];

/** `-m NAME` and its options. */
export type Match =
  | {
      readonly kind: 'ports';
      readonly protocol: Transport;
      readonly source?: Criterion<PortRange> | undefined;
      readonly destination?: Criterion<PortRange> | undefined;
    }
  | { readonly kind: 'comment'; readonly text: string }
  | {
      readonly kind: 'conntrack';
      /** In their order above, each once. */
      readonly states?: Criterion<readonly ConntrackState[]> | undefined;
      readonly originalPort?: Criterion<PortRange> | undefined;
    }
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number; readonly not: boolean }
  | {
      readonly kind: 'addrtype';
      readonly source?: Criterion<readonly RouteType[]> | undefined;
      readonly destination?: Criterion<readonly RouteType[]> | undefined;
    }
  /** `parts` of 2^31 packets match, as the kernel counts. */
  | { readonly kind: 'statistic'; readonly parts: number; readonly not: boolean }
  | RecentMatch
  /** Whether an ipset has these parts of the packet. */
  | {
      readonly kind: 'set';
      readonly name: string;
      readonly directions: readonly SetDirection[];
      readonly not: boolean;
    }
  /** Whether the packet came over a port of a bridge (--physdev-is-in). */
  | { readonly kind: 'physdev'; readonly not: boolean }
  | IpvsMatch;

/** `-m ipvs`: whether the packet belongs to a connection of a virtual server, and of which. */
export interface IpvsMatch {
  readonly kind: 'ipvs';
  /** Without any of the others: whether it belongs to one at all. */
  readonly isIpvs?: Criterion<true> | undefined;
  /** IPPROTO_*. */
  readonly protocol?: Criterion<number> | undefined;
  readonly address?: Criterion<Prefix> | undefined;
  readonly port?: Criterion<number> | undefined;
}

/** `-m recent`: whether a list has the address (rcheck), or an address put into it (set). */
export interface RecentMatch {
  readonly kind: 'recent';
  readonly action: 'rcheck' | 'set';
  readonly not: boolean;
  /** Only entries so young match. */
  readonly seconds?: number | undefined;
  /** Each look takes away one entry that is older than that. */
  readonly reap: boolean;
  readonly list: string;
  /** Of the address, before it is looked up. */
  readonly mask: IpAddress;
  readonly side: 'source' | 'destination';
}

export const verdicts = ['ACCEPT', 'DROP', 'RETURN'] as const;

/** `-j` or `-g`. */
export type Target =
  | { readonly kind: 'verdict'; readonly verdict: (typeof verdicts)[number] }
  /** `with`: "icmp-port-unreachable", "tcp-reset" ... */
  | { readonly kind: 'reject'; readonly with: string }
  /** mark = (mark & ~mask) ^ value */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'masquerade'; readonly randomFully: boolean }
  | { readonly kind: 'dnat'; readonly address: IpAddress; readonly port?: number | undefined }
  /** The network part of the destination becomes the prefix's; of length 0, nothing changes and nat has decided. */
  | { readonly kind: 'netmap'; readonly prefix: Prefix }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string };

export interface Rule {
  readonly source?: Criterion<Prefix> | undefined;
  readonly destination?: Criterion<Prefix> | undefined;
  /** Link names; one that ends with "+" stands for all that begin so. */
  readonly inLink?: Criterion<string> | undefined;
  readonly outLink?: Criterion<string> | undefined;
  /** IPPROTO_*. */
  readonly protocol?: Criterion<number> | undefined;
  readonly matches: readonly Match[];
  /** Absent: a rule that only counts, or has an effect by looking (recent). */
  readonly target?: Target | undefined;
}

/** The chain that a rule leads to. */
export function chainAfter({ target }: Rule): string | undefined {
  return target?.kind === 'jump' || target?.kind === 'goto' ? target.chain : undefined;
}
