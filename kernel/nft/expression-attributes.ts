// The attribute tables of the kernel's expressions (NFTA_EXPR_DATA by NFTA_EXPR_NAME). What they mean is expression-wire.ts.
import { at, attributeTable, nest } from '../netlink/attribute-table.ts';
import { DecodeError } from '../netlink/bytes.ts';
import { be16, be32, be64, type Codec, text, u8 } from '../netlink/codec.ts';
import { dataAttributes } from './attributes.ts';
import { plainBytes } from './plain-bytes.ts';

/** NFT_REG32_00: registers of four bytes count from here; the kernel reports multiples of four as NFT_REG_1 to 4. */
const firstRegister = 8;
const registers = 16;

/** A register on the wire: 0 is the verdict register, 1 to 4 are those of 16 bytes, 8 to 23 those of 4. */
export const registerOrVerdict: Codec<number | 'verdict'> = {
  write(out, value) {
    if (value === 'verdict') return out.be32(0);
    if (!Number.isInteger(value) || value < 0 || value >= registers)
      throw new RangeError(`Cannot use register ${value}: there are ${registers}`);
    out.be32(value % 4 === 0 ? 1 + value / 4 : firstRegister + value);
  },
  read(input) {
    const number = input.be32();
    if (number === 0) return 'verdict';
    if (number <= 4) return (number - 1) * 4;
    if (number < firstRegister || number >= firstRegister + registers)
      throw new DecodeError(`Cannot read register ${number}`);
    return number - firstRegister;
  },
};

export const register: Codec<number> = {
  write: (out, value) => registerOrVerdict.write(out, value),
  read(input) {
    const value = registerOrVerdict.read(input);
    if (value === 'verdict')
      throw new DecodeError('Cannot read a value register: it is the verdict register');
    return value;
  },
};

export const payloadAttributes = attributeTable({
  NFTA_PAYLOAD_DREG: at(1, register),
  NFTA_PAYLOAD_BASE: at(2, be32),
  NFTA_PAYLOAD_OFFSET: at(3, be32),
  NFTA_PAYLOAD_LEN: at(4, be32),
  NFTA_PAYLOAD_SREG: at(5, register),
});

export const metaAttributes = attributeTable({
  NFTA_META_DREG: at(1, register),
  NFTA_META_KEY: at(2, be32),
  NFTA_META_SREG: at(3, register),
});

export const ctAttributes = attributeTable({
  NFTA_CT_DREG: at(1, register),
  NFTA_CT_KEY: at(2, be32),
  NFTA_CT_DIRECTION: at(3, u8),
  NFTA_CT_SREG: at(4, register),
});

export const rtAttributes = attributeTable({ NFTA_RT_DREG: at(1, register), NFTA_RT_KEY: at(2, be32) });

export const cmpAttributes = attributeTable({
  NFTA_CMP_SREG: at(1, register),
  NFTA_CMP_OP: at(2, be32),
  NFTA_CMP_DATA: nest(3, dataAttributes),
});

export const rangeAttributes = attributeTable({
  NFTA_RANGE_SREG: at(1, register),
  NFTA_RANGE_OP: at(2, be32),
  NFTA_RANGE_FROM_DATA: nest(3, dataAttributes),
  NFTA_RANGE_TO_DATA: nest(4, dataAttributes),
});

export const bitwiseAttributes = attributeTable({
  NFTA_BITWISE_SREG: at(1, register),
  NFTA_BITWISE_DREG: at(2, register),
  NFTA_BITWISE_LEN: at(3, be32),
  NFTA_BITWISE_MASK: nest(4, dataAttributes),
  NFTA_BITWISE_XOR: nest(5, dataAttributes),
  NFTA_BITWISE_OP: at(6, be32),
  NFTA_BITWISE_DATA: nest(7, dataAttributes),
});

export const byteorderAttributes = attributeTable({
  NFTA_BYTEORDER_SREG: at(1, register),
  NFTA_BYTEORDER_DREG: at(2, register),
  NFTA_BYTEORDER_OP: at(3, be32),
  NFTA_BYTEORDER_LEN: at(4, be32),
  NFTA_BYTEORDER_SIZE: at(5, be32),
});

export const lookupAttributes = attributeTable({
  NFTA_LOOKUP_SET: at(1, text),
  NFTA_LOOKUP_SREG: at(2, register),
  NFTA_LOOKUP_DREG: at(3, registerOrVerdict),
  NFTA_LOOKUP_SET_ID: at(4, be32),
  NFTA_LOOKUP_FLAGS: at(5, be32),
});

export const immediateAttributes = attributeTable({
  NFTA_IMMEDIATE_DREG: at(1, registerOrVerdict),
  NFTA_IMMEDIATE_DATA: nest(2, dataAttributes),
});

export const counterAttributes = attributeTable({
  NFTA_COUNTER_BYTES: at(1, be64),
  NFTA_COUNTER_PACKETS: at(2, be64),
});

export const objrefAttributes = attributeTable({
  NFTA_OBJREF_IMM_TYPE: at(1, be32),
  NFTA_OBJREF_IMM_NAME: at(2, text),
  NFTA_OBJREF_SET_SREG: at(3, register),
});

export const natAttributes = attributeTable({
  NFTA_NAT_TYPE: at(1, be32),
  NFTA_NAT_FAMILY: at(2, be32),
  NFTA_NAT_REG_ADDR_MIN: at(3, register),
  NFTA_NAT_REG_ADDR_MAX: at(4, register),
  NFTA_NAT_REG_PROTO_MIN: at(5, register),
  NFTA_NAT_REG_PROTO_MAX: at(6, register),
  NFTA_NAT_FLAGS: at(7, be32),
});

export const masqAttributes = attributeTable({
  NFTA_MASQ_FLAGS: at(1, be32),
  NFTA_MASQ_REG_PROTO_MIN: at(2, register),
  NFTA_MASQ_REG_PROTO_MAX: at(3, register),
});

export const redirAttributes = attributeTable({
  NFTA_REDIR_REG_PROTO_MIN: at(1, register),
  NFTA_REDIR_REG_PROTO_MAX: at(2, register),
  NFTA_REDIR_FLAGS: at(3, be32),
});

export const rejectAttributes = attributeTable({
  NFTA_REJECT_TYPE: at(1, be32),
  NFTA_REJECT_ICMP_CODE: at(2, u8),
});

export const numgenAttributes = attributeTable({
  NFTA_NG_DREG: at(1, register),
  NFTA_NG_MODULUS: at(2, be32),
  NFTA_NG_TYPE: at(3, be32),
  NFTA_NG_OFFSET: at(4, be32),
});

export const hashAttributes = attributeTable({
  NFTA_HASH_SREG: at(1, register),
  NFTA_HASH_DREG: at(2, register),
  NFTA_HASH_LEN: at(3, be32),
  NFTA_HASH_MODULUS: at(4, be32),
  NFTA_HASH_SEED: at(5, be32),
  NFTA_HASH_OFFSET: at(6, be32),
  NFTA_HASH_TYPE: at(7, be32),
});

export const fibAttributes = attributeTable({
  NFTA_FIB_DREG: at(1, register),
  NFTA_FIB_RESULT: at(2, be32),
  NFTA_FIB_FLAGS: at(3, be32),
});

export const logAttributes = attributeTable({
  NFTA_LOG_GROUP: at(1, be16),
  NFTA_LOG_PREFIX: at(2, text),
  NFTA_LOG_SNAPLEN: at(3, be32),
  NFTA_LOG_QTHRESHOLD: at(4, be16),
  NFTA_LOG_LEVEL: at(5, be32),
  NFTA_LOG_FLAGS: at(6, be32),
});

export const limitAttributes = attributeTable({
  NFTA_LIMIT_RATE: at(1, be64),
  NFTA_LIMIT_UNIT: at(2, be64),
  NFTA_LIMIT_BURST: at(3, be32),
  NFTA_LIMIT_TYPE: at(4, be32),
  NFTA_LIMIT_FLAGS: at(5, be32),
});

export const emptyAttributes = attributeTable({});

/** NFTA_DYNSET_EXPR holds one expression, NFTA_DYNSET_EXPRESSIONS a list of several. */
export const dynsetAttributes = attributeTable({
  NFTA_DYNSET_SET_NAME: at(1, text),
  NFTA_DYNSET_OP: at(3, be32),
  NFTA_DYNSET_SREG_KEY: at(4, register),
  NFTA_DYNSET_SREG_DATA: at(5, register),
  NFTA_DYNSET_TIMEOUT: at(6, be64),
  NFTA_DYNSET_EXPR: nest(7, plainBytes),
  NFTA_DYNSET_FLAGS: at(9, be32),
  NFTA_DYNSET_EXPRESSIONS: nest(10, plainBytes),
});

export const exthdrAttributes = attributeTable({
  NFTA_EXTHDR_DREG: at(1, register),
  NFTA_EXTHDR_TYPE: at(2, u8),
  NFTA_EXTHDR_OFFSET: at(3, be32),
  NFTA_EXTHDR_LEN: at(4, be32),
  NFTA_EXTHDR_FLAGS: at(5, be32),
  NFTA_EXTHDR_OP: at(6, be32),
  NFTA_EXTHDR_SREG: at(7, register),
});

/** The envelope of every expression. */
export const expressionAttributes = attributeTable({
  NFTA_EXPR_NAME: at(1, text),
  NFTA_EXPR_DATA: nest(2, plainBytes),
});
