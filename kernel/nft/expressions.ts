// The expressions of a rule as the kernel runs them: a sequence over 16 registers of four bytes and a verdict. Names follow
// linux/netfilter/nf_tables.h. Writing rules by hand is what match.ts and statement.ts are for.
import type { AnonymousSet } from './set.ts';
import type { Verdict } from './verdict.ts';

/** A four-byte register, 0 to 15; wider values take the following ones too. (Wire numbers are another matter.) */
export type Register = number;

export type PayloadBase = 'link' | 'network' | 'transport' | 'inner';
export type Comparison = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';
export type NatFlag = 'random' | 'persistent' | 'fully-random' | 'netmap';
export type CtDirection = 'original' | 'reply';

/** NFT_META_*, by nft's names. */
export type MetaKey = keyof typeof metaKeys;
export const metaKeys = {
  length: 0,
  protocol: 1,
  priority: 2,
  mark: 3,
  iif: 4,
  oif: 5,
  iifname: 6,
  oifname: 7,
  iiftype: 8,
  oiftype: 9,
  skuid: 10,
  skgid: 11,
  nftrace: 12,
  nfproto: 15,
  l4proto: 16,
  ibrname: 17,
  obrname: 18,
  pkttype: 19,
  cpu: 20,
  random: 24,
} as const;

/** NFT_CT_*, by nft's names. */
export type CtKey = keyof typeof ctKeys;
export const ctKeys = {
  state: 0,
  direction: 1,
  status: 2,
  mark: 3,
  expiration: 5,
  helper: 6,
  l3proto: 7,
  saddr: 8,
  daddr: 9,
  protocol: 10,
  'proto-src': 11,
  'proto-dst': 12,
  packets: 14,
  bytes: 15,
  zone: 17,
  'ip saddr': 19,
  'ip daddr': 20,
  'ip6 saddr': 21,
  'ip6 daddr': 22,
} as const;

export type FibSelector = 'saddr' | 'daddr' | 'mark' | 'iif' | 'oif';
export type LogLevel = 'emerg' | 'alert' | 'crit' | 'err' | 'warn' | 'notice' | 'info' | 'debug' | 'audit';
export type LimitUnit = 'second' | 'minute' | 'hour' | 'day' | 'week';

interface PortRange {
  readonly portMin?: Register | undefined;
  /** Absent: the same as the least. */
  readonly portMax?: Register | undefined;
  readonly flags: readonly NatFlag[];
}

export type Expression =
  | {
      readonly kind: 'payload';
      readonly to: Register;
      readonly base: PayloadBase;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: 'meta'; readonly key: MetaKey; readonly to: Register }
  | { readonly kind: 'meta-set'; readonly key: MetaKey; readonly from: Register }
  | {
      readonly kind: 'ct';
      readonly key: CtKey;
      readonly to: Register;
      readonly direction?: CtDirection | undefined;
    }
  | { readonly kind: 'ct-set'; readonly key: CtKey; readonly from: Register }
  | { readonly kind: 'rt'; readonly key: RtKey; readonly to: Register }
  | { readonly kind: 'cmp'; readonly from: Register; readonly op: Comparison; readonly value: Uint8Array }
  | {
      readonly kind: 'range';
      readonly from: Register;
      readonly op: 'eq' | 'neq';
      readonly first: Uint8Array;
      readonly last: Uint8Array;
    }
  | {
      readonly kind: 'bitwise';
      readonly from: Register;
      readonly to: Register;
      readonly mask: Uint8Array;
      readonly xor: Uint8Array;
    }
  | {
      readonly kind: 'shift';
      readonly from: Register;
      readonly to: Register;
      readonly direction: 'left' | 'right';
      readonly length: number;
      readonly bits: number;
    }
  | {
      readonly kind: 'byteorder';
      readonly from: Register;
      readonly to: Register;
      readonly op: 'ntoh' | 'hton';
      readonly length: number;
      /** Bytes of one value: 2, 4 or 8. */
      readonly size: number;
    }
  | {
      readonly kind: 'lookup';
      readonly set: string | AnonymousSet;
      readonly from: Register;
      /** Absent: membership. `verdict`: the element's verdict is taken. */
      readonly to?: Register | 'verdict' | undefined;
      readonly inverted: boolean;
    }
  | { readonly kind: 'immediate'; readonly to: Register; readonly value: Uint8Array }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** Counts are read only: they neither make rules differ nor are they kept when a rule is written anew. */
  | {
      readonly kind: 'counter';
      readonly packets?: bigint | undefined;
      readonly bytes?: bigint | undefined;
    }
  | { readonly kind: 'objref'; readonly type: 'counter' | 'quota' | 'limit'; readonly name: string }
  | (PortRange & {
      readonly kind: 'nat';
      readonly type: 'snat' | 'dnat';
      readonly family: 4 | 6;
      readonly addressMin?: Register | undefined;
      readonly addressMax?: Register | undefined;
    })
  | (PortRange & { readonly kind: 'masquerade' })
  | (PortRange & { readonly kind: 'redirect' })
  | { readonly kind: 'reject'; readonly type: 'icmp' | 'tcp reset' | 'icmpx'; readonly code: number }
  | {
      readonly kind: 'numgen';
      readonly to: Register;
      readonly mode: 'inc' | 'random';
      readonly modulus: number;
      readonly offset: number;
    }
  | {
      readonly kind: 'jhash';
      readonly to: Register;
      readonly from: Register;
      readonly length: number;
      readonly modulus: number;
      /** Absent: the kernel chooses one. */
      readonly seed?: number | undefined;
      readonly offset: number;
    }
  | { readonly kind: 'symhash'; readonly to: Register; readonly modulus: number; readonly offset: number }
  | {
      readonly kind: 'fib';
      readonly to: Register;
      readonly by: readonly FibSelector[];
      readonly result: 'oif' | 'oifname' | 'type';
      /** Only whether there is a result. */
      readonly present: boolean;
    }
  | {
      readonly kind: 'log';
      readonly prefix?: string | undefined;
      readonly level?: LogLevel | undefined;
      readonly group?: number | undefined;
      readonly snaplen?: number | undefined;
      readonly threshold?: number | undefined;
      readonly flags?: number | undefined;
    }
  | {
      readonly kind: 'limit';
      readonly rate: bigint;
      readonly unit: LimitUnit;
      readonly burst: number;
      readonly of: 'packets' | 'bytes';
      /** Matches what exceeds the rate. */
      readonly over: boolean;
    }
  | { readonly kind: 'notrack' }
  | {
      readonly kind: 'dynset';
      readonly set: string;
      readonly op: 'add' | 'update' | 'delete';
      readonly key: Register;
      readonly data?: Register | undefined;
      /** Milliseconds. */
      readonly timeout?: bigint | undefined;
      readonly expressions: readonly Expression[];
    }
  | {
      readonly kind: 'tcp-option';
      readonly to: Register;
      readonly option: number;
      readonly offset: number;
      readonly length: number;
      readonly present: boolean;
    }
  | {
      readonly kind: 'tcp-option-set';
      readonly from: Register;
      readonly option: number;
      readonly offset: number;
      readonly length: number;
    }
  /** One that this package does not know: carried as it is, never evaluated. */
  | { readonly kind: 'unknown'; readonly name: string; readonly data: Uint8Array };

/** NFT_RT_*, by nft's names. */
export type RtKey = keyof typeof rtKeys;
export const rtKeys = { classid: 0, 'ip nexthop': 1, 'ip6 nexthop': 2, mtu: 3, ipsec: 4 } as const;
