// The fields of packets, metadata and connections that rules look at, by the names that nft gives them.
import { type Datatype, type FieldValue, fieldBytes, paddedLength } from './datatype.ts';
import { directions } from './expression-numbers.ts';
import type { Comparison, CtDirection, CtKey, MetaKey, PayloadBase, Register } from './expressions.ts';
import { Selector, type Statement } from './selector.ts';
import { ctStates, ctStatuses, protocol } from './value-text.ts';

function field(
  type: Datatype,
  place: { readonly base: PayloadBase; readonly offset: number; readonly length: number },
  requires: Statement = [],
): Selector {
  const { base, offset, length } = place;
  return new Selector([type], {
    payload: { base, offset },
    requires,
    load: (to) => [{ kind: 'payload', to, base, offset, length }],
  });
}

function metaField(type: Datatype, key: MetaKey): Selector {
  return new Selector([type], { load: (to) => [{ kind: 'meta', key, to }] });
}

/** Interface names: `*` at the end stands for any ending. */
class InterfaceSelector extends Selector {
  readonly #key: MetaKey;

  constructor(key: MetaKey) {
    super(['ifname'], { load: (to) => [{ kind: 'meta', key, to }] });
    this.#key = key;
  }

  override equals(value: FieldValue): Statement {
    return this.#match(value, 'eq') ?? super.equals(value);
  }

  override notEquals(value: FieldValue): Statement {
    return this.#match(value, 'neq') ?? super.notEquals(value);
  }

  #match(value: FieldValue, op: Comparison): Statement | undefined {
    if (typeof value !== 'string' || !value.endsWith('*')) return undefined;
    const stem = Uint8Array.from(Buffer.from(value.slice(0, -1), 'utf8'));
    if (stem.length === 0 || stem.length > 15) throw new TypeError(`Cannot match interfaces "${value}"`);
    return [
      { kind: 'meta', key: this.#key, to: 0 },
      { kind: 'cmp', from: 0, op, value: stem },
    ];
  }
}

/** NFPROTO_*. */
export const nfproto = { ip: 2, ip6: 10 } as const;

/** Bits that can also be written: the mark of the packet or of its connection, the packet's priority. */
class MarkSelector extends Selector {
  readonly #type: 'mark' | 'classid';
  readonly #load: (to: Register) => Statement;
  readonly #store: Statement;

  constructor(
    type: 'mark' | 'classid',
    access: { readonly load: (to: Register) => Statement; readonly store: Statement },
  ) {
    super([type], { load: access.load });
    this.#type = type;
    this.#load = access.load;
    this.#store = access.store;
  }

  /** `meta mark set 0x1`, `meta priority set ip daddr map @m`, `meta mark set ct mark`. */
  set(value: number | Selector): Statement {
    if (value instanceof Selector) return [...value.load(0), ...this.#store];
    return [{ kind: 'immediate', to: 0, value: fieldBytes(this.#type, value) }, ...this.#store];
  }

  /** `meta mark set meta mark | BITS`. */
  setBits(bits: number): Statement {
    return this.#change(~bits, bits);
  }

  /** `meta mark set meta mark & KEPT`. */
  keepBits(kept: number): Statement {
    return this.#change(kept, 0);
  }

  /** `meta mark set meta mark ^ BITS`. */
  flipBits(bits: number): Statement {
    return this.#change(0xffffffff, bits);
  }

  /** Keeps some bits and sets others: `meta mark set meta mark & KEPT | BITS`. */
  replaceBits(options: { readonly keep: number; readonly set: number }): Statement {
    return this.#change(options.keep & ~options.set, options.set);
  }

  /**
   * Some of the bits as a value to look up: `meta priority & fff0:0 vmap @classes`. Behind another field nft 1.0.6 takes it
   * in sets and in `update`, not before `map`.
   */
  masked(mask: number): Selector {
    return new Selector([this.#type], { load: (to) => this.#masked(to, { mask, xor: 0 }) });
  }

  #change(mask: number, xor: number): Statement {
    return [...this.#masked(0, { mask, xor }), ...this.#store];
  }

  #masked(to: Register, { mask, xor }: { readonly mask: number; readonly xor: number }): Statement {
    const bytes = (value: number) => fieldBytes(this.#type, value >>> 0);
    return [...this.#load(to), { kind: 'bitwise', from: to, to, mask: bytes(mask), xor: bytes(xor) }];
  }
}

function metaBits(type: 'mark' | 'classid', key: 'mark' | 'priority'): MarkSelector {
  return new MarkSelector(type, {
    load: (to) => [{ kind: 'meta', key, to }],
    store: [{ kind: 'meta-set', key, from: 0 }],
  });
}

export const meta = {
  mark: metaBits('mark', 'mark'),
  /** The class that a queue puts the packet in. Forwarding of IPv4 sets it from the TOS after prerouting. */
  priority: metaBits('classid', 'priority'),
  l4proto: metaField('inet_proto', 'l4proto'),
  /** In tables of family inet, before `ip` and `ip6` fields: a packet of the other family has none. */
  nfproto: {
    ip: byteEquals('nfproto', nfproto.ip),
    ip6: byteEquals('nfproto', nfproto.ip6),
  },
  iifname: new InterfaceSelector('iifname'),
  oifname: new InterfaceSelector('oifname'),
} as const;

function byteEquals(key: MetaKey, value: number): Statement {
  return [
    { kind: 'meta', key, to: 0 },
    { kind: 'cmp', from: 0, op: 'eq', value: Uint8Array.of(value) },
  ];
}

export const ether = {
  saddr: field('ether_addr', { base: 'link', offset: 6, length: 6 }),
} as const;

export const ip = {
  saddr: field('ipv4_addr', { base: 'network', offset: 12, length: 4 }),
  daddr: field('ipv4_addr', { base: 'network', offset: 16, length: 4 }),
  protocol: field('inet_proto', { base: 'network', offset: 9, length: 1 }),
} as const;

export const ip6 = {
  saddr: field('ipv6_addr', { base: 'network', offset: 8, length: 16 }),
  daddr: field('ipv6_addr', { base: 'network', offset: 24, length: 16 }),
} as const;

/** Addresses by family, for rules that are written once for both. */
export function addressFields(family: 4 | 6): { readonly saddr: Selector; readonly daddr: Selector } {
  return family === 4 ? ip : ip6;
}

export function addressType(family: 4 | 6): 'ipv4_addr' | 'ipv6_addr' {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}

function ports(requires: Statement): { readonly sport: Selector; readonly dport: Selector } {
  return {
    sport: field('inet_service', { base: 'transport', offset: 0, length: 2 }, requires),
    dport: field('inet_service', { base: 'transport', offset: 2, length: 2 }, requires),
  };
}

/** Ports of whatever transport protocol the packet has. */
export const th = ports([]);
export const tcp = ports(meta.l4proto.equals(protocol.tcp));
export const udp = ports(meta.l4proto.equals(protocol.udp));
export const sctp = ports(meta.l4proto.equals(protocol.sctp));

function ctField(type: Datatype, key: CtKey): Selector {
  return new Selector([type], { load: (to) => [{ kind: 'ct', key, to }] });
}

function anyBit(selector: Selector, bits: number): Statement {
  return selector.maskedNotEquals(bits, 0);
}

type CtState = keyof typeof ctStates;
type CtStatus = keyof typeof ctStatuses;

const ctState = ctField('ct_state', 'state');
const ctStatus = ctField('mark', 'status');

export const ct = {
  mark: new MarkSelector('mark', {
    load: (to) => [{ kind: 'ct', key: 'mark', to }],
    store: [{ kind: 'ct-set', key: 'mark', from: 0 }],
  }),
  /** In one of the states: `ct state established,related`. */
  state: (...states: readonly CtState[]): Statement =>
    anyBit(
      ctState,
      states.reduce((bits, state) => bits | ctStates[state], 0),
    ),
  /** Of the packets that go the way of the connection's first one, or of the answers. */
  direction: (direction: CtDirection): Statement => [
    { kind: 'ct', key: 'direction', to: 0 },
    { kind: 'cmp', from: 0, op: 'eq', value: Uint8Array.of(directions.indexOf(direction)) },
  ],
  /** Of the connection's first packet as it was sent. */
  original: {
    daddr: (family: 4 | 6): Selector =>
      new Selector([addressType(family)], {
        load: (to) => [
          { kind: 'ct', key: family === 4 ? 'ip daddr' : 'ip6 daddr', to, direction: 'original' },
        ],
      }),
    /** nft takes it behind a match of a certain protocol only. */
    protoDst: new Selector(['inet_service'], {
      load: (to) => [{ kind: 'ct', key: 'proto-dst', to, direction: 'original' }],
    }),
  },
  /** Any of the bits set: `ct status dnat`. */
  status: (...bits: readonly CtStatus[]): Statement =>
    anyBit(
      ctStatus,
      bits.reduce((sum, bit) => sum | ctStatuses[bit], 0),
    ),
} as const;

/** RTN_* of linux/rtnetlink.h, as `fib ... type` yields them. */
export const addressTypes = { unicast: 1, local: 2, broadcast: 3, anycast: 4, multicast: 5 } as const;

export const fib = {
  /** `fib daddr type`: what the routing tables of the machine think of the destination. */
  daddrType: new Selector(['integer'], {
    load: (to) => [{ kind: 'fib', to, by: ['daddr'], result: 'type', present: false }],
  }),
  saddrType: new Selector(['integer'], {
    load: (to) => [{ kind: 'fib', to, by: ['saddr'], result: 'type', present: false }],
  }),
} as const;

export const numgen = {
  random: (modulus: number, offset = 0): Selector => generator('random', modulus, offset),
  inc: (modulus: number, offset = 0): Selector => generator('inc', modulus, offset),
} as const;

function generator(mode: 'inc' | 'random', modulus: number, offset: number): Selector {
  if (!Number.isInteger(modulus) || modulus < 1)
    throw new RangeError(`Cannot generate numbers mod ${modulus}`);
  return new Selector(['integer'], { load: (to) => [{ kind: 'numgen', to, mode, modulus, offset }] });
}

/** A number below `modulus` that is the same for the same value: session affinity without a table. */
export function jhash(
  of: Selector,
  options: { readonly modulus: number; readonly seed?: number; readonly offset?: number },
): Selector {
  const { modulus, seed, offset = 0 } = options;
  const length = of.types.reduce((sum, type) => sum + paddedLength(type), 0);
  return new Selector(['integer'], {
    requires: of.requires,
    // nft lays the value one 16-byte register after the result.
    load: (to) => [
      ...of.loadOnly(to + 4),
      { kind: 'jhash', to, from: to + 4, length, modulus, offset, ...(seed === undefined ? {} : { seed }) },
    ],
  });
}
