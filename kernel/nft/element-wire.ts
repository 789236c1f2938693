// Elements of sets and maps to and from NFTA_SET_ELEM_*. Writing goes straight into the message: a full load is a hundred thousand
// of them. A plain interval is two elements (its start, and the first value behind it with INTERVAL_END); an interval within a
// concatenation is one element with KEY and KEY_END.
import type { ByteWriter } from '../netlink/bytes.ts';
import { DecodeError } from '../netlink/bytes.ts';
import type { ValueOf } from '../netlink/codec.ts';
import { type elementAttributes, NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END } from './attributes.ts';
import {
  type Datatype,
  type FieldValue,
  fieldBytes,
  fieldValue,
  paddedLength,
  typeInfo,
} from './datatype.ts';
import { bounds, compareBytes, type KeyPart, normalPart } from './interval.ts';
import type { Element, SetFlag, SetType } from './set.ts';
import { readComment, writeComment } from './userdata.ts';
import type { Verdict } from './verdict.ts';
import { type DataValue, readValue, readVerdict, verdictData } from './verdict-wire.ts';

type WireElement = ValueOf<typeof elementAttributes>;

/** A set as elements see it. */
export interface ElementSet extends SetType {
  readonly flags: readonly SetFlag[];
}

const NLA_F_NESTED = 0x8000;
const LIST_ELEM = 1 | NLA_F_NESTED;
const KEY = 1 | NLA_F_NESTED;
const DATA = 2 | NLA_F_NESTED;
const FLAGS = 3;
const TIMEOUT = 4;
const USERDATA = 6;
const KEY_END = 10 | NLA_F_NESTED;
const VALUE = 1;
const VERDICT = 2 | NLA_F_NESTED;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;

function open(out: ByteWriter, type: number): number {
  const at = out.length;
  out.u16(0);
  out.u16(type);
  return at;
}

function close(out: ByteWriter, at: number): void {
  out.patchU16(at, out.length - at);
  out.align();
}

/** Appends the wire elements of one element: one, or two for a plain interval. */
export function writeElement(out: ByteWriter, set: ElementSet, element: Element): void {
  const { key } = element;
  if (key === 'default') {
    writeWire(out, set, { element, flags: NFT_SET_ELEM_CATCHALL });
    return;
  }
  const [type] = set.key;
  const [part] = key;
  if (type === undefined || part === undefined || key.length !== set.key.length)
    throw new TypeError(`Cannot write a key of ${key.length} fields to a set of ${set.key.length}`);
  if (!set.flags.includes('interval')) {
    writeWire(out, set, { element, first: key });
  } else if (key.length > 1) {
    writeWire(out, set, {
      element,
      first: key.map((one) => bounds(one).first),
      last: key.map((one) => bounds(one).last),
    });
  } else {
    const { first, last } = bounds(part);
    writeWire(out, set, { element, first: [first] });
    const behind = following(type, last);
    if (behind !== undefined) writeIntervalEnd(out, behind);
  }
}

/** Interval sets keep all keys in network order, so that bytes compare as values do. */
function keyOrder(set: ElementSet): 'big' | undefined {
  return set.flags.includes('interval') ? 'big' : undefined;
}

function writeWire(
  out: ByteWriter,
  set: ElementSet,
  wire: {
    readonly element: Element;
    readonly first?: readonly KeyPart[];
    readonly last?: readonly KeyPart[];
    readonly flags?: number;
  },
): void {
  const { element } = wire;
  const at = open(out, LIST_ELEM);
  if (wire.first !== undefined)
    writeFields(out, KEY, { types: set.key, values: wire.first, order: keyOrder(set) });
  if (element.data !== undefined) writeData(out, set, element.data);
  if (wire.flags !== undefined) {
    const flags = open(out, FLAGS);
    out.be32(wire.flags);
    close(out, flags);
  }
  if (element.timeout !== undefined) {
    const timeout = open(out, TIMEOUT);
    out.be64(element.timeout);
    close(out, timeout);
  }
  if (element.comment !== undefined) {
    const userdata = open(out, USERDATA);
    writeComment(out, 0, element.comment);
    close(out, userdata);
  }
  if (wire.last !== undefined)
    writeFields(out, KEY_END, { types: set.key, values: wire.last, order: keyOrder(set) });
  close(out, at);
}

function writeIntervalEnd(out: ByteWriter, key: Uint8Array): void {
  const at = open(out, LIST_ELEM);
  const flags = open(out, FLAGS);
  out.be32(NFT_SET_ELEM_INTERVAL_END);
  close(out, flags);
  const outer = open(out, KEY);
  const inner = open(out, VALUE);
  out.raw(key);
  close(out, inner);
  close(out, outer);
  close(out, at);
}

function writeFields(
  out: ByteWriter,
  type: number,
  fields: {
    readonly types: readonly Datatype[];
    readonly values: readonly KeyPart[];
    readonly order?: 'big' | undefined;
  },
): void {
  const { types, values } = fields;
  const outer = open(out, type);
  const inner = open(out, VALUE);
  for (let i = 0; i < types.length; i++) {
    const of = types[i];
    const value = values[i];
    if (of === undefined || value === undefined)
      throw new TypeError('Cannot write an element with a field missing');
    // Parts are single values here: prefixes and intervals have been taken apart.
    out.raw(fieldBytes(of, value as FieldValue, fields.order));
    if (types.length > 1) out.zeros(paddedLength(of) - typeInfo(of).length);
  }
  close(out, inner);
  close(out, outer);
}

function writeData(out: ByteWriter, set: SetType, data: NonNullable<Element['data']>): void {
  if (!isVerdict(data)) {
    if (set.data === undefined || set.data === 'verdict' || data.length !== set.data.length)
      throw new TypeError("Cannot write data that is not of the map's type");
    writeFields(out, DATA, { types: set.data, values: data });
    return;
  }
  const { NFTA_VERDICT_CODE: code = 0, NFTA_VERDICT_CHAIN: chain } = verdictData(data);
  const outer = open(out, DATA);
  const inner = open(out, VERDICT);
  const codeAt = open(out, VERDICT_CODE);
  out.be32(code >>> 0);
  close(out, codeAt);
  if (chain !== undefined) {
    const chainAt = open(out, VERDICT_CHAIN);
    out.text(chain);
    out.u8(0);
    close(out, chainAt);
  }
  close(out, inner);
  close(out, outer);
}

function isVerdict(data: Verdict | readonly FieldValue[]): data is Verdict {
  return !Array.isArray(data);
}

/**
 * The key behind a value, as the kernel compares keys: byte by byte. Undefined behind the last one: such an interval has no
 * end.
 */
function following(type: Datatype, value: FieldValue): Uint8Array | undefined {
  const bytes = Uint8Array.from(fieldBytes(type, value, 'big'));
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = bytes[i] ?? 0;
    if (byte < 0xff) {
      bytes[i] = byte + 1;
      return bytes;
    }
    bytes[i] = 0;
  }
  return undefined;
}

/** The elements of a set from all its wire elements. Throws DecodeError. */
export function readElements(set: ElementSet, wire: readonly WireElement[]): readonly Element[] {
  const catchAll = wire.filter((one) => ((one.NFTA_SET_ELEM_FLAGS ?? 0) & NFT_SET_ELEM_CATCHALL) !== 0);
  const others = catchAll.length === 0 ? wire : wire.filter((one) => !catchAll.includes(one));
  const last = catchAll.map((one): Element => ({ key: 'default', ...restOf(set, one) }));
  if (!set.flags.includes('interval')) {
    return [
      ...others.map((one) => ({ key: readFields(set.key, one.NFTA_SET_ELEM_KEY), ...restOf(set, one) })),
      ...last,
    ];
  }
  const [type] = set.key;
  if (set.key.length > 1 || type === undefined) return [...others.map((one) => readRange(set, one)), ...last];
  return [...readIntervals(set, { type, wire: others }), ...last];
}

function readRange(set: ElementSet, wire: WireElement): Element {
  const first = readFields(set.key, wire.NFTA_SET_ELEM_KEY, 'big');
  const end = wire.NFTA_SET_ELEM_KEY_END;
  const last = end === undefined ? first : readFields(set.key, end, 'big');
  const key = first.map((low, i) => {
    const type = set.key[i];
    const high = last[i];
    return type === undefined || high === undefined
      ? low
      : decoded(() => normalPart(type, { first: low, last: high }));
  });
  return { key, ...restOf(set, wire) };
}

function readIntervals(
  set: ElementSet,
  { type, wire }: { readonly type: Datatype; readonly wire: readonly WireElement[] },
): readonly Element[] {
  const points = wire.map((one) => ({
    one,
    key: readValue(one.NFTA_SET_ELEM_KEY),
    end: ((one.NFTA_SET_ELEM_FLAGS ?? 0) & NFT_SET_ELEM_INTERVAL_END) !== 0,
  }));
  // An interval ends before the next one begins, also at the same value.
  points.sort((a, b) => compareBytes(a.key, b.key) || Number(b.end) - Number(a.end));
  const found: Element[] = [];
  for (const [i, point] of points.entries()) {
    // An end without a start is the mark that nft puts before the first interval.
    if (point.end) continue;
    const next = points[i + 1];
    const lastKey = next === undefined ? new Uint8Array(point.key.length).fill(0xff) : preceding(next.key);
    const part = decoded(() =>
      normalPart(type, { first: fieldValue(type, point.key, 'big'), last: fieldValue(type, lastKey, 'big') }),
    );
    found.push({ key: [part], ...restOf(set, point.one) });
  }
  return found;
}

/** Keys that make no sense (an end before its start) are the message's fault. */
function decoded<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw new DecodeError(error.message);
    throw error;
  }
}

function preceding(key: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(key);
  for (let i = bytes.length - 1; i >= 0; i--) {
    const byte = bytes[i] ?? 0;
    bytes[i] = (byte - 1) & 0xff;
    if (byte > 0) return bytes;
  }
  return bytes;
}

function restOf(set: SetType, wire: WireElement): Omit<Element, 'key'> {
  const { NFTA_SET_ELEM_DATA: data, NFTA_SET_ELEM_TIMEOUT: timeout } = wire;
  return {
    ...(data === undefined || set.data === undefined ? {} : { data: readData(set.data, data) }),
    ...(timeout === undefined ? {} : { timeout }),
    ...readComment(wire.NFTA_SET_ELEM_USERDATA),
  };
}

function readData(types: 'verdict' | readonly Datatype[], data: DataValue): NonNullable<Element['data']> {
  if (types !== 'verdict') return readFields(types, data);
  if (data.NFTA_DATA_VERDICT === undefined)
    throw new DecodeError('Cannot read a verdict map: a verdict is missing');
  return readVerdict(data.NFTA_DATA_VERDICT);
}

function readFields(types: readonly Datatype[], data: DataValue | undefined, order?: 'big'): FieldValue[] {
  const bytes = readValue(data);
  let at = 0;
  return types.map((type) => {
    const value = fieldValue(type, bytes.subarray(at), order);
    at += paddedLength(type);
    return value;
  });
}
