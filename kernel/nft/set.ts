// Sets and maps as values, named and anonymous, and their elements. A map is a set with data. How elements are keyed and checked
// is in declare.ts.
import type { Datatype, FieldValue } from './datatype.ts';
import type { KeyPart } from './interval.ts';
import type { Verdict } from './verdict.ts';

export interface Element {
  /** One part a field; `default` is the catch-all element that nft writes as `*`. */
  readonly key: readonly KeyPart[] | 'default';
  /** Of maps: a verdict, or one value a field. */
  readonly data?: Verdict | readonly FieldValue[] | undefined;
  /** Milliseconds; absent: the set's. */
  readonly timeout?: bigint | undefined;
  readonly comment?: string | undefined;
  /** Of dynamic sets whose elements count. Read only: never written, and no difference between two elements. */
  readonly counter?: { readonly packets: bigint; readonly bytes: bigint } | undefined;
  /** Milliseconds that are left of its timeout. Read only, as the counts. */
  readonly expires?: bigint | undefined;
}

/** `dynamic`: rules add elements. Such elements are the packets' own and no plan touches them. */
export type SetFlag = 'constant' | 'interval' | 'timeout' | 'dynamic';

export interface SetType {
  /** Several are a concatenation. */
  readonly key: readonly Datatype[];
  /** Present: a map. */
  readonly data?: 'verdict' | readonly Datatype[] | undefined;
  /** Expressions that `nft` prints as `typeof` in place of the types; one a field, key first, then data. */
  readonly typeof?: readonly TypeofExpression[] | undefined;
}

/** Where a field's values come from, for types that cannot be written by name (numgen yields a plain integer). */
export type TypeofExpression =
  | 'ip saddr'
  | 'ip daddr'
  | 'ip6 saddr'
  | 'ip6 daddr'
  | 'meta l4proto'
  | 'meta mark'
  | 'meta priority'
  | 'th sport'
  | 'th dport'
  | { readonly numgen: 'inc' | 'random'; readonly modulus: number };

export interface NftSet extends SetType {
  readonly name: string;
  readonly flags: readonly SetFlag[];
  /** How many elements it may hold. Given when made it halves the time of a full load (no growing). */
  readonly size?: number | undefined;
  /** Milliseconds that elements live unless they say otherwise. */
  readonly timeout?: bigint | undefined;
  readonly comment?: string | undefined;
  /** Keyed by `elementKey`. */
  readonly elements: ReadonlyMap<string, Element>;
}

/** A set that belongs to one rule and is written inside it: `tcp dport { 80, 443 }`. */
export interface AnonymousSet extends SetType {
  readonly flags: readonly SetFlag[];
  readonly elements: readonly Element[];
}
