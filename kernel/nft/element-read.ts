// Reads elements of sets and maps from NFTA_SET_ELEM_*: puts the starts and ends of plain intervals together, and gives every key
// its one form. Writing is element-write.ts.
import { DecodeError } from '../netlink/bytes.ts';
import type { ValueOf } from '../netlink/codec.ts';
import { type elementAttributes, NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END } from './attributes.ts';
import { type Datatype, type FieldValue, fieldValue, paddedLength } from './datatype.ts';
import type { ElementSet } from './element-write.ts';
import { compareBytes, normalPart } from './interval.ts';
import type { Element, SetType } from './set.ts';
import { readComment } from './userdata.ts';
import { type DataValue, readValue, readVerdict } from './verdict-wire.ts';

type WireElement = ValueOf<typeof elementAttributes>;

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
