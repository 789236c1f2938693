// Reads expressions from NFTA_EXPR_*: one entry a kernel name. What the kernel reports in a form of its own (a range whose ends are
// equal, default levels) becomes our one form; what our expressions cannot say stays `unknown`. Past 300 lines, because it is
// that one table.
import { listOf, nest } from '../netlink/attribute-table.ts';
import { ByteReader, DecodeError } from '../netlink/bytes.ts';
import type { Codec } from '../netlink/codec.ts';
import * as attribute from './expression-attributes.ts';
import {
  comparisons,
  defaultLevel,
  directions,
  dynsetOps,
  fibBits,
  fibPresent,
  fibResults,
  logLevels,
  NFPROTO_IPV6,
  NFT_EXTHDR_OP_TCPOPT,
  natBits,
  objectTypes,
  payloadBases,
  rejectTypes,
  unitSeconds,
} from './expression-numbers.ts';
import { ctKeys, type Expression, metaKeys, type NatFlag, rtKeys } from './expressions.ts';
import type { AnonymousSet } from './set.ts';
import { readValue, readVerdict, required } from './verdict-wire.ts';

/** The anonymous set that the kernel calls by this name. */
export type FindAnonymous = (name: string) => AnonymousSet | undefined;

/** Undefined: of a form that our expressions cannot say; it becomes an `unknown` one. */
type Reader = (input: ByteReader, find: FindAnonymous) => Expression | undefined;

const readers: Readonly<Record<string, Reader>> = {
  payload(input) {
    const a = attribute.payloadAttributes.read(input);
    const base = payloadBases[a.NFTA_PAYLOAD_BASE ?? -1];
    if (a.NFTA_PAYLOAD_SREG !== undefined || base === undefined) return undefined;
    return {
      kind: 'payload',
      to: required(a.NFTA_PAYLOAD_DREG, 'register'),
      base,
      offset: required(a.NFTA_PAYLOAD_OFFSET, 'offset'),
      length: required(a.NFTA_PAYLOAD_LEN, 'length'),
    };
  },
  meta(input) {
    const a = attribute.metaAttributes.read(input);
    const key = keyOf(metaKeys, a.NFTA_META_KEY);
    if (key === undefined) return undefined;
    if (a.NFTA_META_SREG !== undefined) return { kind: 'meta-set', key, from: a.NFTA_META_SREG };
    return { kind: 'meta', key, to: required(a.NFTA_META_DREG, 'register') };
  },
  ct(input) {
    const a = attribute.ctAttributes.read(input);
    const key = keyOf(ctKeys, a.NFTA_CT_KEY);
    if (key === undefined) return undefined;
    const direction = a.NFTA_CT_DIRECTION === undefined ? undefined : directions[a.NFTA_CT_DIRECTION];
    if (a.NFTA_CT_SREG !== undefined)
      return a.NFTA_CT_DIRECTION === undefined ? { kind: 'ct-set', key, from: a.NFTA_CT_SREG } : undefined;
    const to = required(a.NFTA_CT_DREG, 'register');
    return { kind: 'ct', key, to, ...(direction === undefined ? {} : { direction }) };
  },
  rt(input) {
    const a = attribute.rtAttributes.read(input);
    const key = keyOf(rtKeys, a.NFTA_RT_KEY);
    return key === undefined ? undefined : { kind: 'rt', key, to: required(a.NFTA_RT_DREG, 'register') };
  },
  cmp(input) {
    const a = attribute.cmpAttributes.read(input);
    const op = comparisons[required(a.NFTA_CMP_OP, 'operation')];
    if (op === undefined) return undefined;
    return {
      kind: 'cmp',
      from: required(a.NFTA_CMP_SREG, 'register'),
      op,
      value: readValue(a.NFTA_CMP_DATA),
    };
  },
  range(input) {
    const a = attribute.rangeAttributes.read(input);
    return {
      kind: 'range',
      from: required(a.NFTA_RANGE_SREG, 'register'),
      op: a.NFTA_RANGE_OP === 1 ? 'neq' : 'eq',
      first: readValue(a.NFTA_RANGE_FROM_DATA),
      last: readValue(a.NFTA_RANGE_TO_DATA),
    };
  },
  bitwise(input) {
    const a = attribute.bitwiseAttributes.read(input);
    const from = required(a.NFTA_BITWISE_SREG, 'register');
    const to = required(a.NFTA_BITWISE_DREG, 'register');
    const op = a.NFTA_BITWISE_OP ?? 0;
    if (op === 0) {
      if (a.NFTA_BITWISE_MASK === undefined) return undefined;
      const mask = readValue(a.NFTA_BITWISE_MASK);
      const xor = readValue(a.NFTA_BITWISE_XOR);
      return mask.length === xor.length ? { kind: 'bitwise', from, to, mask, xor } : undefined;
    }
    const [bits = 0] = readValue(a.NFTA_BITWISE_DATA);
    if (op > 2) return undefined;
    const length = required(a.NFTA_BITWISE_LEN, 'length');
    return { kind: 'shift', from, to, direction: op === 1 ? 'left' : 'right', length, bits };
  },
  byteorder(input) {
    const a = attribute.byteorderAttributes.read(input);
    return {
      kind: 'byteorder',
      from: required(a.NFTA_BYTEORDER_SREG, 'register'),
      to: required(a.NFTA_BYTEORDER_DREG, 'register'),
      op: a.NFTA_BYTEORDER_OP === 1 ? 'hton' : 'ntoh',
      length: required(a.NFTA_BYTEORDER_LEN, 'length'),
      size: required(a.NFTA_BYTEORDER_SIZE, 'size'),
    };
  },
  lookup(input, find) {
    const a = attribute.lookupAttributes.read(input);
    const name = required(a.NFTA_LOOKUP_SET, 'set');
    return {
      kind: 'lookup',
      set: find(name) ?? name,
      from: required(a.NFTA_LOOKUP_SREG, 'register'),
      ...(a.NFTA_LOOKUP_DREG === undefined ? {} : { to: a.NFTA_LOOKUP_DREG }),
      inverted: ((a.NFTA_LOOKUP_FLAGS ?? 0) & 1) !== 0,
    };
  },
  immediate(input) {
    const a = attribute.immediateAttributes.read(input);
    const to = required(a.NFTA_IMMEDIATE_DREG, 'register');
    if (to !== 'verdict') return { kind: 'immediate', to, value: readValue(a.NFTA_IMMEDIATE_DATA) };
    return {
      kind: 'verdict',
      verdict: readVerdict(required(a.NFTA_IMMEDIATE_DATA?.NFTA_DATA_VERDICT, 'verdict')),
    };
  },
  counter(input) {
    const a = attribute.counterAttributes.read(input);
    return {
      kind: 'counter',
      ...(a.NFTA_COUNTER_PACKETS === undefined ? {} : { packets: a.NFTA_COUNTER_PACKETS }),
      ...(a.NFTA_COUNTER_BYTES === undefined ? {} : { bytes: a.NFTA_COUNTER_BYTES }),
    };
  },
  objref(input) {
    const a = attribute.objrefAttributes.read(input);
    const type = keyOf(objectTypes, a.NFTA_OBJREF_IMM_TYPE);
    if (type === undefined || a.NFTA_OBJREF_IMM_NAME === undefined) return undefined;
    return { kind: 'objref', type, name: a.NFTA_OBJREF_IMM_NAME };
  },
  nat(input) {
    const a = attribute.natAttributes.read(input);
    const { NFTA_NAT_REG_ADDR_MIN: min, NFTA_NAT_REG_ADDR_MAX: max } = a;
    return {
      kind: 'nat',
      type: a.NFTA_NAT_TYPE === 1 ? 'dnat' : 'snat',
      family: a.NFTA_NAT_FAMILY === NFPROTO_IPV6 ? 6 : 4,
      ...(min === undefined ? {} : { addressMin: min }),
      ...(max === undefined || max === min ? {} : { addressMax: max }),
      ...portsOf(a.NFTA_NAT_REG_PROTO_MIN, a.NFTA_NAT_REG_PROTO_MAX),
      flags: natFlagsOf(a.NFTA_NAT_FLAGS),
    };
  },
  masq(input) {
    const a = attribute.masqAttributes.read(input);
    return {
      kind: 'masquerade',
      ...portsOf(a.NFTA_MASQ_REG_PROTO_MIN, a.NFTA_MASQ_REG_PROTO_MAX),
      flags: natFlagsOf(a.NFTA_MASQ_FLAGS),
    };
  },
  redir(input) {
    const a = attribute.redirAttributes.read(input);
    return {
      kind: 'redirect',
      ...portsOf(a.NFTA_REDIR_REG_PROTO_MIN, a.NFTA_REDIR_REG_PROTO_MAX),
      flags: natFlagsOf(a.NFTA_REDIR_FLAGS),
    };
  },
  reject(input) {
    const a = attribute.rejectAttributes.read(input);
    const type = rejectTypes[required(a.NFTA_REJECT_TYPE, 'type')];
    return type === undefined ? undefined : { kind: 'reject', type, code: a.NFTA_REJECT_ICMP_CODE ?? 0 };
  },
  numgen(input) {
    const a = attribute.numgenAttributes.read(input);
    return {
      kind: 'numgen',
      to: required(a.NFTA_NG_DREG, 'register'),
      mode: a.NFTA_NG_TYPE === 1 ? 'random' : 'inc',
      modulus: required(a.NFTA_NG_MODULUS, 'modulus'),
      offset: a.NFTA_NG_OFFSET ?? 0,
    };
  },
  hash(input) {
    const a = attribute.hashAttributes.read(input);
    const to = required(a.NFTA_HASH_DREG, 'register');
    const modulus = required(a.NFTA_HASH_MODULUS, 'modulus');
    const offset = a.NFTA_HASH_OFFSET ?? 0;
    if (a.NFTA_HASH_TYPE === 1) return { kind: 'symhash', to, modulus, offset };
    return {
      kind: 'jhash',
      to,
      from: required(a.NFTA_HASH_SREG, 'register'),
      length: required(a.NFTA_HASH_LEN, 'length'),
      modulus,
      ...(a.NFTA_HASH_SEED === undefined ? {} : { seed: a.NFTA_HASH_SEED }),
      offset,
    };
  },
  fib(input) {
    const a = attribute.fibAttributes.read(input);
    const result = fibResults[required(a.NFTA_FIB_RESULT, 'result') - 1];
    const bits = required(a.NFTA_FIB_FLAGS, 'flags');
    if (result === undefined) return undefined;
    return {
      kind: 'fib',
      to: required(a.NFTA_FIB_DREG, 'register'),
      by: namesOf(fibBits, bits),
      result,
      present: (bits & fibPresent) !== 0,
    };
  },
  log(input) {
    const a = attribute.logAttributes.read(input);
    const level = a.NFTA_LOG_LEVEL === undefined ? undefined : logLevels[a.NFTA_LOG_LEVEL];
    return {
      kind: 'log',
      ...(a.NFTA_LOG_PREFIX === undefined ? {} : { prefix: a.NFTA_LOG_PREFIX }),
      ...(level === undefined || level === defaultLevel ? {} : { level }),
      ...(a.NFTA_LOG_GROUP === undefined ? {} : { group: a.NFTA_LOG_GROUP }),
      ...numberUnless0('snaplen', a.NFTA_LOG_SNAPLEN),
      ...numberUnless0('threshold', a.NFTA_LOG_QTHRESHOLD),
      ...numberUnless0('flags', a.NFTA_LOG_FLAGS),
    };
  },
  limit(input) {
    const a = attribute.limitAttributes.read(input);
    const unit = keyOf(unitSeconds, Number(required(a.NFTA_LIMIT_UNIT, 'unit')));
    if (unit === undefined) return undefined;
    return {
      kind: 'limit',
      rate: required(a.NFTA_LIMIT_RATE, 'rate'),
      unit,
      burst: a.NFTA_LIMIT_BURST ?? 0,
      of: a.NFTA_LIMIT_TYPE === 1 ? 'bytes' : 'packets',
      over: ((a.NFTA_LIMIT_FLAGS ?? 0) & 1) !== 0,
    };
  },
  notrack: () => ({ kind: 'notrack' }),
  dynset(input, find) {
    const a = attribute.dynsetAttributes.read(input);
    const op = dynsetOps[required(a.NFTA_DYNSET_OP, 'operation')];
    if (op === undefined) return undefined;
    const { NFTA_DYNSET_EXPR: one, NFTA_DYNSET_EXPRESSIONS: several } = a;
    return {
      kind: 'dynset',
      set: required(a.NFTA_DYNSET_SET_NAME, 'set'),
      op,
      key: required(a.NFTA_DYNSET_SREG_KEY, 'register'),
      ...(a.NFTA_DYNSET_SREG_DATA === undefined ? {} : { data: a.NFTA_DYNSET_SREG_DATA }),
      // Zero: the set's own.
      ...(a.NFTA_DYNSET_TIMEOUT ? { timeout: a.NFTA_DYNSET_TIMEOUT } : {}),
      expressions:
        several !== undefined
          ? readExpressions(several, find)
          : one !== undefined
            ? [readExpression(readerOf(one), find)]
            : [],
    };
  },
  exthdr(input) {
    const a = attribute.exthdrAttributes.read(input);
    if (a.NFTA_EXTHDR_OP !== NFT_EXTHDR_OP_TCPOPT) return undefined;
    const option = required(a.NFTA_EXTHDR_TYPE, 'type');
    const offset = required(a.NFTA_EXTHDR_OFFSET, 'offset');
    const length = required(a.NFTA_EXTHDR_LEN, 'length');
    if (a.NFTA_EXTHDR_SREG !== undefined)
      return { kind: 'tcp-option-set', from: a.NFTA_EXTHDR_SREG, option, offset, length };
    if (a.NFTA_EXTHDR_DREG === undefined) return undefined;
    const present = ((a.NFTA_EXTHDR_FLAGS ?? 0) & 1) !== 0;
    return { kind: 'tcp-option', to: a.NFTA_EXTHDR_DREG, option, offset, length, present };
  },
};

function keyOf<const T extends Readonly<Record<string, number>>>(
  names: T,
  number: number | undefined,
): (keyof T & string) | undefined {
  for (const [name, value] of Object.entries(names)) if (value === number) return name;
  return undefined;
}

function namesOf<const T extends Readonly<Record<string, number>>>(
  names: T,
  bits: number,
): (keyof T & string)[] {
  return Object.entries(names)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name);
}

function natFlagsOf(bits: number | undefined): readonly NatFlag[] {
  return namesOf(natBits, bits ?? 0);
}

function portsOf(
  min: number | undefined,
  max: number | undefined,
): { readonly portMin?: number; readonly portMax?: number } {
  if (min === undefined) return {};
  return max === undefined || max === min ? { portMin: min } : { portMin: min, portMax: max };
}

function numberUnless0<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  // A computed key widens to string; the object holds just this key.
  return value === undefined || value === 0 ? {} : ({ [key]: value } as { readonly [P in K]?: number });
}

function readerOf(bytes: Uint8Array): ByteReader {
  return new ByteReader(Buffer.from(bytes));
}

function readExpression(input: ByteReader, find: FindAnonymous): Expression {
  const { NFTA_EXPR_NAME, NFTA_EXPR_DATA } = attribute.expressionAttributes.read(input);
  const name = required(NFTA_EXPR_NAME, 'expression name');
  const data = NFTA_EXPR_DATA ?? new Uint8Array();
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  try {
    return reader?.(readerOf(data), find) ?? { kind: 'unknown', name, data };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new DecodeError(`${name}: ${error.message}`);
  }
}

/** Reads the content of NFTA_RULE_EXPRESSIONS. Throws DecodeError. */
export function readExpressions(bytes: Uint8Array, find: FindAnonymous): readonly Expression[] {
  const codec: Codec<Expression> = {
    write() {
      throw new TypeError('Cannot write with a reader of expressions');
    },
    read: (input) => readExpression(input, find),
  };
  return listOf(nest(1, codec)).read(readerOf(bytes));
}
