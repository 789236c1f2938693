// The types of the fields of set keys and map data, as nft knows them (enum datatypes of nftables' datatype.h): size, byte
// order, and how a value becomes register bytes and back. How values are printed is in value-text.ts.
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { DecodeError } from '../netlink/bytes.ts';

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
  /** A queueing class, major in the upper 16 bits: `meta priority`. */
  classid: { id: 23, length: 4, order: 'host' },
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

/** Writes a value at `at`, where there must be room for it. Throws TypeError when it does not fit the type. */
export type FieldWriter = (memory: Uint8Array, at: number, value: unknown) => void;

/** What writes what `fieldBytes` would return, without making bytes of it first where that can be. */
export function fieldWriter(type: Datatype, order?: 'big'): FieldWriter {
  const { length, order: own } = typeInfo(type);
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return (memory, at, value) => {
        if (!(value instanceof IpAddress) || value.bytes.length !== length) throw mismatch(type, value);
        for (let i = 0; i < length; i++) memory[at + i] = value.bytes[i] ?? 0;
      };
    case 'inet_proto':
    case 'inet_service':
    case 'integer':
    case 'mark':
    case 'classid':
    case 'ct_state': {
      const largest = 2 ** (8 * length) - 1;
      const big = (order ?? own) === 'big';
      return (memory, at, value) => {
        if (typeof value !== 'number' || value >>> 0 !== value || value > largest)
          throw mismatch(type, value);
        for (let i = 0; i < length; i++) memory[at + i] = (value >>> (8 * (big ? length - 1 - i : i))) & 0xff;
      };
    }
    default:
      return (memory, at, value) => {
        if (!isFieldValue(value)) throw mismatch(type, value);
        memory.set(fieldBytes(type, value, order), at);
      };
  }
}

function isFieldValue(value: unknown): value is FieldValue {
  return (
    typeof value === 'number' ||
    typeof value === 'string' ||
    value instanceof IpAddress ||
    value instanceof Mac ||
    value instanceof Uint8Array
  );
}

/** The value of the type's bytes. Throws DecodeError when there are too few. `big`: in network order whatever the type's is. */
export function fieldValue(type: Datatype, bytes: Uint8Array, order?: 'big'): FieldValue {
  const info = typeInfo(type);
  if (bytes.length < info.length)
    throw new DecodeError(`Cannot read ${typeName(type)} from ${bytes.length} bytes`);
  return fieldReader(type, order)(bytes, 0);
}

/** Reads the value that begins at `at`, where there must be bytes enough. */
export type FieldReader = (bytes: Uint8Array, at: number) => FieldValue;

/** What reads values of the type. `big`: in network order whatever the type's is. */
export function fieldReader(type: Datatype, order?: 'big'): FieldReader {
  const { length, order: own } = typeInfo(type);
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return (bytes, at) => IpAddress.fromBytes(bytes.subarray(at, at + length));
    case 'ether_addr':
      return (bytes, at) => Mac.fromBytes(bytes.subarray(at, at + length));
    case 'ifname':
      return (bytes, at) => {
        const end = bytes.subarray(at, at + length).indexOf(0);
        return Buffer.from(bytes.subarray(at, at + (end < 0 ? length : end))).toString('utf8');
      };
    case 'inet_proto':
      return (bytes, at) => bytes[at] ?? 0;
    case 'inet_service':
      return (bytes, at) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    case 'integer':
    case 'mark':
    case 'classid':
    case 'ct_state':
      return (order ?? own) === 'big' ? big32 : little32;
    default:
      return (bytes, at) => Uint8Array.from(bytes.subarray(at, at + length));
  }
}

function big32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

function little32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at + 3] ?? 0) << 24) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 1] ?? 0) << 8) |
      (bytes[at] ?? 0)) >>>
    0
  );
}

export function typeName(type: Datatype): string {
  return typeof type === 'string' ? type : `type ${type.opaque} of ${type.length} bytes`;
}

function mismatch(type: Datatype, value: unknown): TypeError {
  // An interval where the set takes none.
  const text =
    typeof value === 'object' && value !== null && 'first' in value && 'last' in value
      ? `${String(value.first)}-${String(value.last)}`
      : String(value);
  return new TypeError(`Cannot use "${text}" as ${typeName(type)}`);
}
