// The types of the fields of set keys and map data, as nft knows them (enum datatypes of nftables' datatype.h): size, byte
// order, and how a value becomes register bytes and back. How values are printed is in value-text.ts.
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { type ByteWriter, DecodeError } from '../netlink/bytes.ts';

/** A type that this package does not know: its values are bytes. Only ever read. */
export interface OpaqueType {
  readonly opaque: number;
  readonly length: number;
}

export type NamedType = keyof typeof namedTypes;

export type Datatype = NamedType | OpaqueType;

/** Addresses and MACs are values, interface names are text, everything else is a number in the host's reading. */
export type FieldValue = IpAddress | Mac | number | string | Uint8Array;

interface TypeInfo {
  /** Number in nft's enum datatypes, the kernel only stores it. */
  readonly id: number;
  readonly length: number;
  /** `big`: network order in registers; `host`: the machine's (little endian on all machines that Netloom runs on). */
  readonly order: 'big' | 'host';
}

export const namedTypes = {
  integer: { id: 4, length: 4, order: 'host' },
  ipv4_addr: { id: 7, length: 4, order: 'big' },
  ipv6_addr: { id: 8, length: 16, order: 'big' },
  ether_addr: { id: 9, length: 6, order: 'big' },
  inet_proto: { id: 12, length: 1, order: 'big' },
  inet_service: { id: 13, length: 2, order: 'big' },
  mark: { id: 19, length: 4, order: 'host' },
  ct_state: { id: 26, length: 4, order: 'host' },
  ifname: { id: 41, length: 16, order: 'host' },
} as const satisfies Readonly<Record<string, TypeInfo>>;

/** NFT_DATA_VERDICT: the data type of verdict maps. */
export const verdictType = 0xffffff00;

/** A concatenation keeps its types in one number, six bits each; NFT_REG32_COUNT fields are the most. */
const typeBits = 6;

export function typeInfo(type: Datatype): TypeInfo {
  return typeof type === 'string' ? namedTypes[type] : { id: type.opaque, length: type.length, order: 'big' };
}

/** Bytes that a value takes in registers: fields begin at multiples of four. */
export function paddedLength(type: Datatype): number {
  return (typeInfo(type).length + 3) & ~3;
}

/** A lone field is not padded, a concatenation is. */
export function keyLength(types: readonly Datatype[]): number {
  const [only] = types;
  if (types.length === 1 && only !== undefined) return typeInfo(only).length;
  return types.reduce((sum, type) => sum + paddedLength(type), 0);
}

export function typeId(types: readonly Datatype[]): number {
  return types.reduce((id, type) => ((id << typeBits) | typeInfo(type).id) >>> 0, 0);
}

/** The types of a key from its number and length; opaque when the number is not one of ours. */
export function typesOf(id: number, length: number): readonly Datatype[] {
  const ids: number[] = [];
  for (let rest = id; rest > 0; rest = rest >>> typeBits) ids.unshift(rest & ((1 << typeBits) - 1));
  const types: NamedType[] = [];
  for (const one of ids) {
    const found = namedTypeOf(one);
    if (found === undefined) return [{ opaque: id, length }];
    types.push(found);
  }
  return types.length > 0 && keyLength(types) === length ? types : [{ opaque: id, length }];
}

function namedTypeOf(id: number): NamedType | undefined {
  for (const [name, info] of Object.entries(namedTypes)) {
    // Object.entries forgets that the keys are the table's own.
    if (info.id === id) return name as NamedType;
  }
  return undefined;
}

/** Register bytes of one value. Throws TypeError when the value does not fit the type. */
export function fieldBytes(type: Datatype, value: FieldValue, order?: 'big'): Uint8Array {
  const info = typeInfo(type);
  if (typeof value === 'number') {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * info.length) || info.length > 4)
      throw mismatch(type, value);
    return numberBytes(value, order === undefined ? info : { ...info, order });
  }
  if (typeof value === 'string') {
    const bytes = new Uint8Array(info.length);
    const text = Buffer.from(value, 'utf8');
    if (type !== 'ifname' || text.length >= info.length) throw mismatch(type, value);
    bytes.set(text);
    return bytes;
  }
  const bytes = value instanceof Uint8Array ? value : value.bytes;
  const fits =
    value instanceof IpAddress
      ? type === (value.family === 4 ? 'ipv4_addr' : 'ipv6_addr')
      : value instanceof Mac
        ? type === 'ether_addr'
        : typeof type !== 'string';
  if (!fits || bytes.length !== info.length) throw mismatch(type, value);
  return bytes;
}

function numberBytes(value: number, info: TypeInfo): Uint8Array {
  const bytes = new Uint8Array(info.length);
  for (let i = 0; i < info.length; i++) {
    const at = info.order === 'big' ? info.length - 1 - i : i;
    bytes[at] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  }
  return bytes;
}

/** Writes what `fieldBytes` would return, without making bytes of it first where that can be. */
export function writeField(
  out: ByteWriter,
  field: { readonly type: Datatype; readonly value: FieldValue; readonly order: 'big' | undefined },
): void {
  const { type, value, order } = field;
  if (typeof value !== 'number' || value >>> 0 !== value) {
    out.raw(fieldBytes(type, value, order));
  } else if (type === 'inet_service' && value <= 0xffff) {
    out.be16(value);
  } else if (type === 'inet_proto' && value <= 0xff) {
    out.u8(value);
  } else if ((type === 'mark' || type === 'integer') && order === undefined) {
    out.u32(value);
  } else {
    out.raw(fieldBytes(type, value, order));
  }
}

/** The value of the type's bytes. Throws DecodeError when there are too few. `big`: in network order whatever the type's is. */
export function fieldValue(type: Datatype, bytes: Uint8Array, order?: 'big'): FieldValue {
  const info = typeInfo(type);
  if (bytes.length < info.length)
    throw new DecodeError(`Cannot read ${typeName(type)} from ${bytes.length} bytes`);
  const own = bytes.subarray(0, info.length);
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return IpAddress.fromBytes(own);
    case 'ether_addr':
      return Mac.fromBytes(own);
    case 'ifname': {
      const end = own.indexOf(0);
      return Buffer.from(own.subarray(0, end < 0 ? own.length : end)).toString('utf8');
    }
    case 'integer':
    case 'inet_proto':
    case 'inet_service':
    case 'mark':
    case 'ct_state': {
      const ordered = (order ?? info.order) === 'big' ? own : Uint8Array.from(own).reverse();
      return ordered.reduce((sum, byte) => sum * 256 + byte, 0);
    }
    default:
      return Uint8Array.from(own);
  }
}

export function typeName(type: Datatype): string {
  return typeof type === 'string' ? type : `type ${type.opaque} of ${type.length} bytes`;
}

function mismatch(type: Datatype, value: FieldValue): TypeError {
  return new TypeError(`Cannot use "${String(value)}" as ${typeName(type)}`);
}
