// What a rule can look at, and the ways to match it. A selector loads its value into registers; a map lookup makes another
// selector of it. The selectors there are stand in fields.ts.
import { Prefix } from '../../net/prefix.ts';
import { type Datatype, type FieldValue, fieldBytes, paddedLength } from './datatype.ts';
import type { Comparison, Expression, PayloadBase, Register } from './expressions.ts';
import type { KeyPart } from './interval.ts';
import { bounds, prefixMask } from './interval.ts';
import type { AnonymousSet } from './set.ts';
import { setReference } from './set-reference.ts';

/** A piece of a rule: matches and statements are both just expressions in order. */
export type Statement = readonly Expression[];

export class Selector {
  readonly types: readonly Datatype[];
  readonly #load: (to: Register) => Statement;
  /** Bytes of the field in the packet, where a prefix may load less. */
  readonly #payload: { readonly base: PayloadBase; readonly offset: number } | undefined;
  readonly #requires: Statement;

  constructor(
    types: readonly Datatype[],
    source: {
      readonly load: (to: Register) => Statement;
      readonly payload?: { readonly base: PayloadBase; readonly offset: number };
      readonly requires?: Statement;
    },
  ) {
    this.types = types;
    this.#load = source.load;
    this.#payload = source.payload;
    this.#requires = source.requires ?? [];
  }

  /** Loads the value into registers from `to` on; what must hold before comes first (`tcp dport` needs TCP). */
  load(to: Register): Statement {
    return [...this.#requires, ...this.#load(to)];
  }

  /** Without what must hold before: for parts of a concatenation, which checks that once. */
  loadOnly(to: Register): Statement {
    return this.#load(to);
  }

  get requires(): Statement {
    return this.#requires;
  }

  get #type(): Datatype {
    const [type] = this.types;
    if (type === undefined || this.types.length > 1)
      throw new TypeError('Cannot compare a concatenation with one value: look it up in a set');
    return type;
  }

  #compare(op: Comparison, value: FieldValue): Statement {
    return [...this.load(0), { kind: 'cmp', from: 0, op, value: fieldBytes(this.#type, value) }];
  }

  equals(value: FieldValue): Statement {
    return this.#compare('eq', value);
  }

  notEquals(value: FieldValue): Statement {
    return this.#compare('neq', value);
  }

  /** `meta mark and MASK == VALUE`. */
  maskedEquals(mask: number, value: number): Statement {
    return this.#masked(mask, value, 'eq');
  }

  maskedNotEquals(mask: number, value: number): Statement {
    return this.#masked(mask, value, 'neq');
  }

  #masked(mask: number, value: number, op: Comparison): Statement {
    const zero = fieldBytes(this.#type, 0);
    return [
      ...this.load(0),
      { kind: 'bitwise', from: 0, to: 0, mask: fieldBytes(this.#type, mask), xor: zero },
      { kind: 'cmp', from: 0, op, value: fieldBytes(this.#type, value) },
    ];
  }

  /** Both ends included. Only for fields in network order: the kernel compares bytes. */
  between(first: FieldValue, last: FieldValue): Statement {
    return [
      ...this.load(0),
      { kind: 'cmp', from: 0, op: 'gte', value: fieldBytes(this.#type, first) },
      { kind: 'cmp', from: 0, op: 'lte', value: fieldBytes(this.#type, last) },
    ];
  }

  /** Inside a prefix, an interval or equal to a value; or one of several, as an anonymous set. */
  in(range: KeyPart | readonly KeyPart[]): Statement {
    return isList(range) ? this.#inParts(range, false) : this.#inside(range, false);
  }

  notIn(range: KeyPart | readonly KeyPart[]): Statement {
    return isList(range) ? this.#inParts(range, true) : this.#inside(range, true);
  }

  #inParts(parts: readonly KeyPart[], inverted: boolean): Statement {
    const set = setReference(
      { key: [this.#type] },
      parts.map((part) => ({ key: [part] })),
    );
    return [...this.load(0), { kind: 'lookup', set, from: 0, inverted }];
  }

  #inside(part: KeyPart, inverted: boolean): Statement {
    const op = inverted ? 'neq' : 'eq';
    if (part instanceof Prefix) return this.#inPrefix(part, op);
    const { first, last } = bounds(part);
    if (first === last) return this.#compare(op, first);
    if (!inverted) return this.between(first, last);
    const type = this.#type;
    return [
      ...this.load(0),
      { kind: 'range', from: 0, op: 'neq', first: fieldBytes(type, first), last: fieldBytes(type, last) },
    ];
  }

  /** As nft does it: whole bytes are compared alone, other lengths through a mask. */
  #inPrefix(prefix: Prefix, op: 'eq' | 'neq'): Statement {
    const network = prefix.network().address;
    if (prefix.length === prefix.bits) return this.#compare(op, network);
    const value = fieldBytes(this.#type, network);
    if (prefix.length % 8 === 0 && prefix.length > 0 && this.#payload !== undefined) {
      const length = prefix.length / 8;
      return [
        ...this.#requires,
        { kind: 'payload', to: 0, ...this.#payload, length },
        { kind: 'cmp', from: 0, op, value: value.subarray(0, length) },
      ];
    }
    const xor = new Uint8Array(value.length);
    return [
      ...this.load(0),
      { kind: 'bitwise', from: 0, to: 0, mask: prefixMask(prefix), xor },
      { kind: 'cmp', from: 0, op, value },
    ];
  }

  /** Member of a set: `ip saddr @pods`. */
  inSet(set: string | AnonymousSet): Statement {
    return [...this.load(0), { kind: 'lookup', set, from: 0, inverted: false }];
  }

  notInSet(set: string | AnonymousSet): Statement {
    return [...this.load(0), { kind: 'lookup', set, from: 0, inverted: true }];
  }

  /** Takes the verdict of a map: `meta mark vmap @classes`. */
  vmap(map: string | AnonymousSet): Statement {
    return [...this.load(0), { kind: 'lookup', set: map, from: 0, to: 'verdict', inverted: false }];
  }

  /** The value that a map has for this one: `ip daddr map @addresses`. Says what types come out. */
  map(map: string | AnonymousSet, types: readonly Datatype[]): Selector {
    return new Selector(types, {
      requires: this.#requires,
      load: (to) => [...this.#load(to), { kind: 'lookup', set: map, from: to, to, inverted: false }],
    });
  }
}

function isList(range: KeyPart | readonly KeyPart[]): range is readonly KeyPart[] {
  return Array.isArray(range);
}

/** `ip daddr . meta l4proto . th dport`: fields side by side, for sets and maps of concatenations. */
export function concat(...parts: readonly Selector[]): Selector {
  return new Selector(
    parts.flatMap((part) => part.types),
    {
      requires: parts.flatMap((part) => part.requires),
      load(to) {
        let at = to;
        return parts.flatMap((part) => {
          const expressions = part.loadOnly(at);
          at += part.types.reduce((sum, type) => sum + paddedLength(type) / 4, 0);
          return expressions;
        });
      },
    },
  );
}
