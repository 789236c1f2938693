// Writes expressions as NFTA_EXPR_*: one entry a kind, so that a forgotten one does not compile.
// Reading is expression-read.ts.
import { listOf, nest } from '../netlink/attribute-table.ts';
import { ByteWriter } from '../netlink/bytes.ts';
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
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFT_EXTHDR_OP_TCPOPT,
  natBits,
  natProtoSpecified,
  objectTypes,
  payloadBases,
  rejectTypes,
  unitSeconds,
} from './expression-numbers.ts';
import { ctKeys, type Expression, metaKeys, type NatFlag, rtKeys } from './expressions.ts';
import type { AnonymousSet } from './set.ts';
import { valueData, verdictData } from './verdict-wire.ts';

/** How lookups in anonymous sets are written: the kernel wants their provisional name and their number in the batch. */
export type NameAnonymous = (set: AnonymousSet) => { readonly name: string; readonly id: number };
interface Written {
  readonly name: string;
  readonly data: (out: ByteWriter) => void;
}

function as<T>(name: string, codec: Codec<T>, value: NoInfer<T>): Written {
  return { name, data: (out) => codec.write(out, value) };
}

type Writers = {
  readonly [K in Expression['kind']]: (
    expression: Extract<Expression, { kind: K }>,
    nameOf: NameAnonymous,
  ) => Written;
};

const writers: Writers = {
  payload: (e) =>
    as('payload', attribute.payloadAttributes, {
      NFTA_PAYLOAD_DREG: e.to,
      NFTA_PAYLOAD_BASE: payloadBases.indexOf(e.base),
      NFTA_PAYLOAD_OFFSET: e.offset,
      NFTA_PAYLOAD_LEN: e.length,
    }),
  meta: (e) => as('meta', attribute.metaAttributes, { NFTA_META_DREG: e.to, NFTA_META_KEY: metaKeys[e.key] }),
  'meta-set': (e) =>
    as('meta', attribute.metaAttributes, { NFTA_META_KEY: metaKeys[e.key], NFTA_META_SREG: e.from }),
  ct: (e) =>
    as('ct', attribute.ctAttributes, {
      NFTA_CT_DREG: e.to,
      NFTA_CT_KEY: ctKeys[e.key],
      NFTA_CT_DIRECTION: e.direction === undefined ? undefined : directions.indexOf(e.direction),
    }),
  'ct-set': (e) => as('ct', attribute.ctAttributes, { NFTA_CT_KEY: ctKeys[e.key], NFTA_CT_SREG: e.from }),
  rt: (e) => as('rt', attribute.rtAttributes, { NFTA_RT_DREG: e.to, NFTA_RT_KEY: rtKeys[e.key] }),
  cmp: (e) =>
    as('cmp', attribute.cmpAttributes, {
      NFTA_CMP_SREG: e.from,
      NFTA_CMP_OP: comparisons.indexOf(e.op),
      NFTA_CMP_DATA: valueData(e.value),
    }),
  range: (e) =>
    as('range', attribute.rangeAttributes, {
      NFTA_RANGE_SREG: e.from,
      NFTA_RANGE_OP: comparisons.indexOf(e.op),
      NFTA_RANGE_FROM_DATA: valueData(e.first),
      NFTA_RANGE_TO_DATA: valueData(e.last),
    }),
  bitwise: (e) =>
    as('bitwise', attribute.bitwiseAttributes, {
      NFTA_BITWISE_SREG: e.from,
      NFTA_BITWISE_DREG: e.to,
      NFTA_BITWISE_LEN: e.mask.length,
      NFTA_BITWISE_MASK: valueData(e.mask),
      NFTA_BITWISE_XOR: valueData(e.xor),
    }),
  shift: (e) =>
    as('bitwise', attribute.bitwiseAttributes, {
      NFTA_BITWISE_SREG: e.from,
      NFTA_BITWISE_DREG: e.to,
      NFTA_BITWISE_LEN: e.length,
      NFTA_BITWISE_OP: e.direction === 'left' ? 1 : 2,
      NFTA_BITWISE_DATA: valueData(Uint8Array.of(e.bits, 0, 0, 0)),
    }),
  byteorder: (e) =>
    as('byteorder', attribute.byteorderAttributes, {
      NFTA_BYTEORDER_SREG: e.from,
      NFTA_BYTEORDER_DREG: e.to,
      NFTA_BYTEORDER_OP: e.op === 'hton' ? 1 : 0,
      NFTA_BYTEORDER_LEN: e.length,
      NFTA_BYTEORDER_SIZE: e.size,
    }),
  lookup(e, nameOf) {
    const set = typeof e.set === 'string' ? { name: e.set, id: undefined } : nameOf(e.set);
    return as('lookup', attribute.lookupAttributes, {
      NFTA_LOOKUP_SET: set.name,
      NFTA_LOOKUP_SREG: e.from,
      NFTA_LOOKUP_DREG: e.to,
      NFTA_LOOKUP_SET_ID: set.id,
      NFTA_LOOKUP_FLAGS: e.inverted ? 1 : undefined,
    });
  },
  immediate: (e) =>
    as('immediate', attribute.immediateAttributes, {
      NFTA_IMMEDIATE_DREG: e.to,
      NFTA_IMMEDIATE_DATA: valueData(e.value),
    }),
  verdict: (e) =>
    as('immediate', attribute.immediateAttributes, {
      NFTA_IMMEDIATE_DREG: 'verdict',
      NFTA_IMMEDIATE_DATA: { NFTA_DATA_VERDICT: verdictData(e.verdict) },
    }),
  counter: () => as('counter', attribute.counterAttributes, {}),
  objref: (e) =>
    as('objref', attribute.objrefAttributes, {
      NFTA_OBJREF_IMM_TYPE: objectTypes[e.type],
      NFTA_OBJREF_IMM_NAME: e.name,
    }),
  nat: (e) =>
    as('nat', attribute.natAttributes, {
      NFTA_NAT_TYPE: e.type === 'dnat' ? 1 : 0,
      NFTA_NAT_FAMILY: e.family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
      NFTA_NAT_REG_ADDR_MIN: e.addressMin,
      NFTA_NAT_REG_ADDR_MAX: e.addressMax,
      NFTA_NAT_REG_PROTO_MIN: e.portMin,
      NFTA_NAT_REG_PROTO_MAX: e.portMax,
      NFTA_NAT_FLAGS: natNumber(e),
    }),
  masquerade: (e) =>
    as('masq', attribute.masqAttributes, {
      NFTA_MASQ_FLAGS: natNumber(e),
      NFTA_MASQ_REG_PROTO_MIN: e.portMin,
      NFTA_MASQ_REG_PROTO_MAX: e.portMax,
    }),
  redirect: (e) =>
    as('redir', attribute.redirAttributes, {
      NFTA_REDIR_REG_PROTO_MIN: e.portMin,
      NFTA_REDIR_REG_PROTO_MAX: e.portMax,
      NFTA_REDIR_FLAGS: natNumber(e),
    }),
  reject: (e) =>
    as('reject', attribute.rejectAttributes, {
      NFTA_REJECT_TYPE: rejectTypes.indexOf(e.type),
      NFTA_REJECT_ICMP_CODE: e.code,
    }),
  numgen: (e) =>
    as('numgen', attribute.numgenAttributes, {
      NFTA_NG_DREG: e.to,
      NFTA_NG_MODULUS: e.modulus,
      NFTA_NG_TYPE: e.mode === 'random' ? 1 : 0,
      NFTA_NG_OFFSET: e.offset,
    }),
  jhash: (e) =>
    as('hash', attribute.hashAttributes, {
      NFTA_HASH_SREG: e.from,
      NFTA_HASH_DREG: e.to,
      NFTA_HASH_LEN: e.length,
      NFTA_HASH_MODULUS: e.modulus,
      NFTA_HASH_SEED: e.seed,
      NFTA_HASH_OFFSET: e.offset,
      NFTA_HASH_TYPE: 0,
    }),
  symhash: (e) =>
    as('hash', attribute.hashAttributes, {
      NFTA_HASH_DREG: e.to,
      NFTA_HASH_MODULUS: e.modulus,
      NFTA_HASH_OFFSET: e.offset,
      NFTA_HASH_TYPE: 1,
    }),
  fib: (e) =>
    as('fib', attribute.fibAttributes, {
      NFTA_FIB_DREG: e.to,
      NFTA_FIB_RESULT: fibResults.indexOf(e.result) + 1,
      NFTA_FIB_FLAGS: e.by.reduce((bits, one) => bits | fibBits[one], e.present ? fibPresent : 0),
    }),
  log: (e) =>
    as('log', attribute.logAttributes, {
      NFTA_LOG_GROUP: e.group,
      NFTA_LOG_PREFIX: e.prefix,
      NFTA_LOG_SNAPLEN: e.snaplen,
      NFTA_LOG_QTHRESHOLD: e.threshold,
      // The kernel takes the default when none is given, and never reports it.
      NFTA_LOG_LEVEL:
        e.level === undefined || e.level === defaultLevel ? undefined : logLevels.indexOf(e.level),
      NFTA_LOG_FLAGS: e.flags,
    }),
  limit: (e) =>
    as('limit', attribute.limitAttributes, {
      NFTA_LIMIT_RATE: e.rate,
      NFTA_LIMIT_UNIT: BigInt(unitSeconds[e.unit]),
      NFTA_LIMIT_BURST: e.burst,
      NFTA_LIMIT_TYPE: e.of === 'bytes' ? 1 : 0,
      NFTA_LIMIT_FLAGS: e.over ? 1 : 0,
    }),
  notrack: () => as('notrack', attribute.emptyAttributes, {}),
  dynset: (e, nameOf) =>
    as('dynset', attribute.dynsetAttributes, {
      NFTA_DYNSET_SET_NAME: e.set,
      NFTA_DYNSET_OP: dynsetOps.indexOf(e.op),
      NFTA_DYNSET_SREG_KEY: e.key,
      NFTA_DYNSET_SREG_DATA: e.data,
      NFTA_DYNSET_TIMEOUT: e.timeout,
      ...dynsetExpressions(e.expressions, nameOf),
    }),
  'tcp-option': (e) =>
    as('exthdr', attribute.exthdrAttributes, {
      NFTA_EXTHDR_DREG: e.to,
      NFTA_EXTHDR_TYPE: e.option,
      NFTA_EXTHDR_OFFSET: e.offset,
      NFTA_EXTHDR_LEN: e.length,
      NFTA_EXTHDR_FLAGS: e.present ? 1 : 0,
      NFTA_EXTHDR_OP: NFT_EXTHDR_OP_TCPOPT,
    }),
  'tcp-option-set': (e) =>
    as('exthdr', attribute.exthdrAttributes, {
      NFTA_EXTHDR_TYPE: e.option,
      NFTA_EXTHDR_OFFSET: e.offset,
      NFTA_EXTHDR_LEN: e.length,
      NFTA_EXTHDR_OP: NFT_EXTHDR_OP_TCPOPT,
      NFTA_EXTHDR_SREG: e.from,
    }),
  unknown: (e) => ({ name: e.name, data: (out) => out.raw(e.data) }),
};

function natNumber(nat: {
  readonly flags: readonly NatFlag[];
  readonly portMin?: number | undefined;
}): number | undefined {
  const bits = nat.flags.reduce(
    (sum: number, flag) => sum | natBits[flag],
    nat.portMin === undefined ? 0 : natProtoSpecified,
  );
  return bits === 0 ? undefined : bits;
}

function dynsetExpressions(
  expressions: readonly Expression[],
  nameOf: NameAnonymous,
): { NFTA_DYNSET_FLAGS?: number; NFTA_DYNSET_EXPR?: Uint8Array; NFTA_DYNSET_EXPRESSIONS?: Uint8Array } {
  const [only] = expressions;
  if (only === undefined) return {};
  // Kernels before 5.11 know one expression, and refuse the flag of several.
  if (expressions.length === 1) return { NFTA_DYNSET_EXPR: bytesOf(envelope(nameOf), only) };
  const NFT_DYNSET_F_EXPR = 2;
  return {
    NFTA_DYNSET_FLAGS: NFT_DYNSET_F_EXPR,
    NFTA_DYNSET_EXPRESSIONS: writeExpressions(expressions, nameOf),
  };
}

function bytesOf<T>(codec: Codec<T>, value: T): Uint8Array {
  const out = new ByteWriter(256);
  codec.write(out, value);
  return Uint8Array.from(out.bytes());
}

/** Writes one expression with its name around it. Reading is `readExpression`. */
function envelope(nameOf: NameAnonymous): Codec<Expression> {
  return {
    write(out, expression) {
      // The table's entry of this kind takes exactly this kind; TypeScript cannot follow that through the index.
      const writer = writers[expression.kind] as (e: Expression, nameOf: NameAnonymous) => Written;
      const { name, data } = writer(expression, nameOf);
      const inner = new ByteWriter(128);
      data(inner);
      attribute.expressionAttributes.write(out, {
        NFTA_EXPR_NAME: name,
        NFTA_EXPR_DATA: Uint8Array.from(inner.bytes()),
      });
    },
    read() {
      throw new TypeError('Cannot read with a writer of expressions');
    },
  };
}

/** The content of NFTA_RULE_EXPRESSIONS. */
export function writeExpressions(expressions: readonly Expression[], nameOf: NameAnonymous): Uint8Array {
  return bytesOf(listOf(nest(1, envelope(nameOf))), expressions);
}
