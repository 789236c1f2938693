// Arbitrary tables, sets, elements and expressions for property tests. All are such as the declarations allow.
import fc from 'fast-check';
import type { FieldValue, NamedType } from '../../kernel/nft/datatype.ts';
import { chain, element, elementsOf, map, rule, set, table } from '../../kernel/nft/declare.ts';
import { type CtKey, ctKeys, type Expression, type MetaKey, metaKeys } from '../../kernel/nft/expressions.ts';
import { ct, ip, meta, tcp } from '../../kernel/nft/fields.ts';
import type { KeyPart } from '../../kernel/nft/interval.ts';
import { normalPart } from '../../kernel/nft/interval.ts';
import { type NftState, nftState, type Rule } from '../../kernel/nft/objects.ts';
import { concat } from '../../kernel/nft/selector.ts';
import type { NftSet } from '../../kernel/nft/set.ts';
import {
  accept,
  counter,
  drop,
  goto,
  jump,
  remove,
  returnStatement,
  update,
} from '../../kernel/nft/statement.ts';
import type { Verdict } from '../../kernel/nft/verdict.ts';
import { verdict } from '../../kernel/nft/verdict.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';

export const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => IpAddress.fromBytes(bytes));
const ip16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => IpAddress.fromBytes(bytes));
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => Mac.fromBytes(bytes));
const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const linkName = fc.stringMatching(/^[a-z][a-z0-9.]{0,14}$/);
export const comment = fc.stringMatching(/^[a-zA-Z0-9 ./:äß-]{1,60}$/);

const values: Readonly<Record<NamedType, fc.Arbitrary<FieldValue>>> = {
  integer: u32,
  ipv4_addr: ip4,
  ipv6_addr: ip16,
  ether_addr: mac,
  inet_proto: u8,
  inet_service: u16,
  mark: u32,
  classid: fc.oneof(u32, fc.constantFrom(0, 0xffffffff)),
  ct_state: u32,
  ifname: linkName,
};

// The keys of the table above are the types.
export const namedType = fc.constantFrom(...(Object.keys(values) as NamedType[]));

export function fieldOf(type: NamedType): fc.Arbitrary<FieldValue> {
  return values[type];
}

const rangeTypes = ['ipv4_addr', 'ipv6_addr', 'inet_service', 'inet_proto'] as const;

function rangeOf(type: (typeof rangeTypes)[number]): fc.Arbitrary<KeyPart> {
  const pair = fc.tuple(values[type], values[type]).map(([a, b]) => ordered(type, a, b));
  if (type !== 'ipv4_addr' && type !== 'ipv6_addr') return fc.oneof(values[type], pair);
  const address = type === 'ipv4_addr' ? ip4 : ip16;
  const network = fc
    .tuple(address, fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([of, part]) => new Prefix(of, Math.floor(part * of.bytes.length * 8)).network());
  return fc.oneof(values[type], pair, network).map((part) => normalPart(type, part));
}

function ordered(type: NamedType, a: FieldValue, b: FieldValue): KeyPart {
  try {
    return normalPart(type, { first: a, last: b });
  } catch {
    return normalPart(type, { first: b, last: a });
  }
}

export const anyVerdict: fc.Arbitrary<Verdict> = fc.oneof(
  fc.constantFrom<Verdict>(verdict.accept, verdict.drop, verdict.return, verdict.continue),
  fc.constantFrom('a', 'services', 'svc-x/y').map(verdict.jump),
  fc.constantFrom('a', 'services').map(verdict.goto),
);

/** A set or map of any types with elements that do not overlap. */
export const anySet: fc.Arbitrary<NftSet> = fc
  .record({
    key: fc.array(namedType, { minLength: 1, maxLength: 4 }),
    data: fc.oneof(
      fc.constant(undefined),
      fc.constant('verdict' as const),
      fc.array(namedType, { minLength: 1, maxLength: 2 }),
    ),
    comment: fc.option(comment, { nil: undefined }),
    size: fc.option(fc.integer({ min: 1, max: 70000 }), { nil: undefined }),
    timeout: fc.option(fc.integer({ min: 1, max: 1_000_000_000 }), { nil: undefined }),
  })
  .chain(({ key, data, ...rest }) => {
    const more = defined({ comment: rest.comment, size: rest.size, timeout: rest.timeout });
    const dataOf =
      data === undefined
        ? fc.constant(undefined)
        : data === 'verdict'
          ? anyVerdict
          : fc.tuple(...data.map(fieldOf));
    const one = fc.record({
      key: fc.tuple(...key.map(fieldOf)),
      data: dataOf,
      comment: fc.option(comment, { nil: undefined }),
      timeout: fc.option(fc.integer({ min: 1, max: 1_000_000_000 }), { nil: undefined }),
    });
    return fc.array(one, { maxLength: 5 }).map((found) => {
      const type = data === undefined ? { key } : { key, data };
      const made = found.map((each) =>
        element(each.key, defined({ data: each.data, comment: each.comment, timeout: each.timeout })),
      );
      const elements = distinct(type, made);
      return data === undefined
        ? set('any', { key, ...more, elements })
        : map('any', { key, data, ...more, elements });
    });
  });

/** A set of intervals, plain or concatenated; elements may overlap, for codecs that do not mind. */
export const intervalSet: fc.Arbitrary<NftSet> = fc
  .array(fc.constantFrom(...rangeTypes), { minLength: 1, maxLength: 3 })
  .chain((key) =>
    fc
      .tuple(...key.map(rangeOf))
      .map((parts) => set('any', { key, flags: ['interval'], elements: [element(parts)] })),
  );

function distinct(type: Parameters<typeof elementsOf>[0], made: readonly ReturnType<typeof element>[]) {
  const kept: ReturnType<typeof element>[] = [];
  for (const one of made) {
    try {
      elementsOf(type, [...kept, one]);
      kept.push(one);
    } catch {
      // There already.
    }
  }
  return kept;
}

/** Without what is undefined: exact optional properties. */
function defined<T extends Readonly<Record<string, unknown>>>(
  object: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Exactly the undefined ones are gone.
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

const register = fc.integer({ min: 0, max: 15 });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 16 });
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
const big = fc.bigInt({ min: 1n, max: (1n << 63n) - 1n });
// The keys of these tables are the types.
const metaKey = fc.constantFrom(...(Object.keys(metaKeys) as MetaKey[]));
const ctKey = fc.constantFrom(...(Object.keys(ctKeys) as CtKey[]));
const natFlags = fc.constantFrom(
  [],
  ['random'],
  ['persistent', 'fully-random'],
  ['random', 'netmap'],
) as fc.Arbitrary<Extract<Expression, { kind: 'masquerade' }>['flags']>;
const ports = fc.constantFrom({}, { portMin: 2 }, { portMin: 2, portMax: 3 });

/** Every kind of expression, in the form that reading yields. */
export const anyExpression: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({
    kind: fc.constant('payload' as const),
    to: register,
    base: fc.constantFrom('link' as const, 'network' as const, 'transport' as const, 'inner' as const),
    offset: u8,
    length: fc.integer({ min: 1, max: 16 }),
  }),
  fc.record({ kind: fc.constant('meta' as const), key: metaKey, to: register }),
  fc.record({ kind: fc.constant('meta-set' as const), key: metaKey, from: register }),
  fc.record({ kind: fc.constant('ct' as const), key: ctKey, to: register }),
  fc.record({
    kind: fc.constant('ct' as const),
    key: ctKey,
    to: register,
    direction: fc.constantFrom('original' as const, 'reply' as const),
  }),
  fc.record({ kind: fc.constant('ct-set' as const), key: ctKey, from: register }),
  fc.record({
    kind: fc.constant('rt' as const),
    key: fc.constantFrom('mtu' as const, 'classid' as const),
    to: register,
  }),
  fc.record({
    kind: fc.constant('cmp' as const),
    from: register,
    op: fc.constantFrom(
      'eq' as const,
      'neq' as const,
      'lt' as const,
      'lte' as const,
      'gt' as const,
      'gte' as const,
    ),
    value: bytes,
  }),
  fc.record({
    kind: fc.constant('range' as const),
    from: register,
    op: fc.constantFrom('eq' as const, 'neq' as const),
    first: bytes,
    last: bytes,
  }),
  fc
    .tuple(register, register, bytes)
    .map(([from, to, mask]) => ({ kind: 'bitwise' as const, from, to, mask, xor: mask })),
  fc.record({
    kind: fc.constant('shift' as const),
    from: register,
    to: register,
    direction: fc.constantFrom('left' as const, 'right' as const),
    length: fc.constant(4),
    bits: fc.integer({ min: 1, max: 31 }),
  }),
  fc.record({
    kind: fc.constant('byteorder' as const),
    from: register,
    to: register,
    op: fc.constantFrom('ntoh' as const, 'hton' as const),
    length: fc.constant(4),
    size: fc.constantFrom(2, 4),
  }),
  fc.record({ kind: fc.constant('lookup' as const), set: name, from: register, inverted: fc.boolean() }),
  fc.record({
    kind: fc.constant('lookup' as const),
    set: name,
    from: register,
    to: fc.oneof(register, fc.constant('verdict' as const)),
    inverted: fc.constant(false),
  }),
  fc.record({ kind: fc.constant('immediate' as const), to: register, value: bytes }),
  fc.record({ kind: fc.constant('verdict' as const), verdict: anyVerdict }),
  fc.constant({ kind: 'counter' as const }),
  fc.record({
    kind: fc.constant('objref' as const),
    type: fc.constantFrom('counter' as const, 'quota' as const, 'limit' as const),
    name,
  }),
  fc
    .tuple(
      fc.constantFrom('snat' as const, 'dnat' as const),
      fc.constantFrom(4 as const, 6 as const),
      ports,
      natFlags,
    )
    .map(([type, family, range, flags]) => ({
      kind: 'nat' as const,
      type,
      family,
      addressMin: 0,
      ...range,
      flags,
    })),
  fc.tuple(ports, natFlags).map(([range, flags]) => ({ kind: 'masquerade' as const, ...range, flags })),
  fc.tuple(ports, natFlags).map(([range, flags]) => ({ kind: 'redirect' as const, ...range, flags })),
  fc.record({
    kind: fc.constant('reject' as const),
    type: fc.constantFrom('icmp' as const, 'tcp reset' as const, 'icmpx' as const),
    code: u8,
  }),
  fc.record({
    kind: fc.constant('numgen' as const),
    to: register,
    mode: fc.constantFrom('inc' as const, 'random' as const),
    modulus: u32,
    offset: u32,
  }),
  fc.record({
    kind: fc.constant('jhash' as const),
    to: register,
    from: register,
    length: fc.constantFrom(4, 8),
    modulus: u32,
    seed: u32,
    offset: u32,
  }),
  fc.record({ kind: fc.constant('symhash' as const), to: register, modulus: u32, offset: u32 }),
  fc.record({
    kind: fc.constant('fib' as const),
    to: register,
    by: fc.constantFrom(['daddr' as const], ['saddr' as const, 'iif' as const]),
    result: fc.constantFrom('oif' as const, 'oifname' as const, 'type' as const),
    present: fc.boolean(),
  }),
  fc.constantFrom<Expression>(
    { kind: 'log' },
    { kind: 'log', prefix: 'x ', level: 'debug', flags: 3 },
    { kind: 'log', group: 7, snaplen: 100, threshold: 5 },
  ),
  fc.record({
    kind: fc.constant('limit' as const),
    rate: big,
    unit: fc.constantFrom(
      'second' as const,
      'minute' as const,
      'hour' as const,
      'day' as const,
      'week' as const,
    ),
    burst: u32,
    of: fc.constantFrom('packets' as const, 'bytes' as const),
    over: fc.boolean(),
  }),
  fc.constant({ kind: 'notrack' as const }),
  fc
    .tuple(
      name,
      fc.constantFrom('add' as const, 'update' as const, 'delete' as const),
      fc.nat(2),
      fc.constantFrom({}, { data: 4 }, { data: 8, timeout: 5000n }),
    )
    .map(([setName, op, count, more]) => ({
      kind: 'dynset' as const,
      set: setName,
      op,
      key: 1,
      ...more,
      expressions: Array.from({ length: count }, () => ({ kind: 'counter' as const })),
    })),
  fc.record({
    kind: fc.constant('tcp-option' as const),
    to: register,
    option: u8,
    offset: u8,
    length: u8,
    present: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('tcp-option-set' as const),
    from: register,
    option: u8,
    offset: u8,
    length: u8,
  }),
  fc.record({ kind: fc.constant('unknown' as const), name: fc.constant('socket'), data: bytes }),
);

/** Tables that share names, so that most of what differs between two is in the details. */
export const anyState: fc.Arbitrary<NftState> = fc
  .array(
    fc.record({
      name: fc.constantFrom('one', 'two'),
      comment: fc.constantFrom(undefined, 'first'),
      chains: fc.subarray(['a', 'b', 'c', 'd']),
      described: fc.boolean(),
      sets: fc.subarray(['nets', 'to', 'filled']),
      ranged: fc.boolean(),
      numbers: fc.subarray([1, 2, 3, 4]),
      rules: fc.array(fc.tuple(fc.nat(3), fc.nat(10)), { maxLength: 6 }),
    }),
    { maxLength: 2 },
  )
  .map((found) => nftState([...new Map(found.map((one) => [one.name, one])).values()].map(tableOf)));

interface Shape {
  readonly name: string;
  readonly comment: string | undefined;
  readonly chains: readonly string[];
  readonly described: boolean;
  readonly sets: readonly string[];
  readonly ranged: boolean;
  readonly numbers: readonly number[];
  readonly rules: readonly (readonly [chain: number, kind: number])[];
}

function tableOf(shape: Shape) {
  const { chains, sets, numbers } = shape;
  const target = chains.at(-1);
  return table({
    family: 'ip',
    name: shape.name,
    ...(shape.comment === undefined ? {} : { comment: shape.comment }),
    chains: chains.map((one) => chain(one, shape.described ? { comment: `chain ${one}` } : {})),
    sets: sets.map((one) =>
      one === 'filled'
        ? map('filled', {
            key: ['ipv4_addr', 'classid'],
            data: 'classid',
            typeof: ['ip saddr', 'meta priority', 'meta priority'],
            flags: ['dynamic'],
            timeout: 60_000,
          })
        : one === 'nets'
          ? set('nets', {
              key: 'ipv4_addr',
              flags: shape.ranged ? ['interval'] : [],
              elements: numbers.map((number) => element(IpAddress.fromBigInt(4, BigInt(number)))),
            })
          : map('to', {
              key: 'mark',
              data: 'verdict',
              elements: numbers.map((number) =>
                element(number, {
                  data: target === undefined || number % 2 === 0 ? verdict.drop : verdict.goto(target),
                }),
              ),
            }),
    ),
    rules: shape.rules.flatMap(([at, kind]) => {
      const from = chains[at];
      return from === undefined ? [] : ruleOf(shape, { from, kind });
    }),
  });
}

/** Jumps only lead onwards, so that there is no loop. */
function ruleOf(
  shape: Shape,
  { from, kind }: { readonly from: string; readonly kind: number },
): readonly Rule[] {
  const next = shape.chains[shape.chains.indexOf(from) + 1];
  switch (kind) {
    case 0:
      return [rule(from, [accept])];
    case 1:
      return [rule(from, [tcp.dport.equals(80), counter(), drop], { comment: 'web' })];
    case 2:
      return next === undefined ? [] : [rule(from, [jump(next)])];
    case 3:
      return next === undefined ? [] : [rule(from, [meta.mark.maskedEquals(1, 1), goto(next)])];
    case 4:
      return shape.sets.includes('nets') ? [rule(from, [ip.saddr.inSet('nets'), returnStatement])] : [];
    case 5:
      return shape.sets.includes('to') && from !== shape.chains.at(-1)
        ? [rule(from, [meta.mark.vmap('to')])]
        : [];
    case 6:
      return [rule(from, [meta.l4proto.in([6, 17]), accept])];
    case 7: {
      const key = concat(ip.saddr, meta.priority.masked(0xfffff));
      if (!shape.sets.includes('filled')) return [];
      return [
        rule(from, [update('filled', { key, data: meta.priority, counter: true })]),
        rule(from, [remove('filled', { key, data: meta.priority })]),
      ];
    }
    case 8:
      return [rule(from, [meta.priority.maskedNotEquals(0xfff00000, 0), meta.priority.set(0)])];
    case 9:
      return [rule(from, [ct.direction('reply'), meta.priority.keepBits(0xfffff), accept])];
    default:
      return [rule(from, [meta.mark.set(kind)])];
  }
}
