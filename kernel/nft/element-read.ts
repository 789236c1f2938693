// Reads elements of sets and maps from NFTA_SET_ELEM_*, straight from the bytes of a dump. Puts the starts and ends of plain
// intervals together, and gives every key its one form. Writing is element-write.ts, where the parts lie element-cursor.ts.
import { ByteReader, DecodeError } from '../netlink/bytes.ts';
import { dataAttributes, NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END } from './attributes.ts';
import {
  type Datatype,
  type FieldReader,
  type FieldValue,
  fieldReader,
  keyLength,
  paddedLength,
} from './datatype.ts';
import { readElementCounter } from './element-counter.ts';
import { ElementCursor } from './element-cursor.ts';
import type { ElementSet } from './element-write.ts';
import { compareBytes, normalPart } from './interval.ts';
import type { Element } from './set.ts';
import { readCommentIn } from './userdata.ts';
import { readVerdict, required } from './verdict-wire.ts';

/** Reads the elements of one set, list by list as a dump brings them. Throws DecodeError. */
export interface ElementReader {
  /** The elements in the content of one NFTA_SET_ELEM_LIST_ELEMENTS. */
  readonly take: (list: Buffer) => readonly Element[];
  /** Those that are whole only when all lists have come: plain intervals. */
  readonly end: () => readonly Element[];
}

/** The elements of a set from all its lists. */
export function readElements(set: ElementSet, lists: readonly Buffer[]): readonly Element[] {
  const reader = elementReader(set);
  const found = lists.flatMap((list) => reader.take(list));
  return [...found, ...reader.end()];
}

export function elementReader(set: ElementSet): ElementReader {
  const [type] = set.key;
  const complete = completer(set);
  if (set.flags.includes('interval') && set.key.length === 1 && type !== undefined)
    return intervalReader(type, complete);
  const readKey = set.flags.includes('interval') ? rangeReader(set.key) : plainReader(set.key);
  return {
    take(list) {
      const found: Element[] = [];
      const cursor = new ElementCursor(list);
      while (cursor.next())
        found.push(complete(cursor, isCatchAll(cursor) ? { key: 'default' } : { key: readKey(cursor) }));
      return found;
    },
    end: () => [],
  };
}

type MutableElement = { -readonly [K in keyof Element]: Element[K] };

/** Adds what an element has beside its key. */
type Complete = (cursor: ElementCursor, element: MutableElement) => Element;

type ReadKey = (cursor: ElementCursor) => Exclude<Element['key'], 'default'>;

function isCatchAll(cursor: ElementCursor): boolean {
  return (cursor.flags & NFT_SET_ELEM_CATCHALL) !== 0;
}

function plainReader(types: readonly Datatype[]): ReadKey {
  const read = fieldsReader(types);
  const size = keyLength(types);
  return (cursor) => read(cursor.bytes, cursor.keyValue(size));
}

/** Concatenations with intervals: the first values of all fields, and the last ones. */
function rangeReader(types: readonly Datatype[]): ReadKey {
  const read = fieldsReader(types, 'big');
  const size = keyLength(types);
  return (cursor) => {
    const first = read(cursor.bytes, cursor.keyValue(size));
    const last = cursor.keyEnd < 0 ? first : read(cursor.bytes, cursor.keyEndValue(size));
    return types.map((type, i) => partOf(type, { first: first[i], last: last[i] }));
  };
}

/** A plain interval is two elements: its start, and the first value behind it. Only all of them together tell. */
function intervalReader(type: Datatype, complete: Complete): ElementReader {
  const size = keyLength([type]);
  const points: Point[] = [];
  const read = fieldReader(type, 'big');
  return {
    take(list) {
      const found: Element[] = [];
      const cursor = new ElementCursor(list);
      while (cursor.next()) {
        if (isCatchAll(cursor)) {
          found.push(complete(cursor, { key: 'default' }));
          continue;
        }
        const at = cursor.keyValue(size);
        const key = Uint8Array.from(list.subarray(at, at + size));
        const end = (cursor.flags & NFT_SET_ELEM_INTERVAL_END) !== 0;
        points.push({ key, end, element: complete(cursor, { key: [] }) });
      }
      return found;
    },
    end: () => intervalsOf(type, { points: points.splice(0), read }),
  };
}

interface Point {
  readonly key: Uint8Array;
  readonly end: boolean;
  readonly element: Element;
}

function intervalsOf(
  type: Datatype,
  { points, read }: { readonly points: Point[]; readonly read: FieldReader },
): readonly Element[] {
  // An interval ends before the next one begins, also at the same value.
  points.sort((a, b) => compareBytes(a.key, b.key) || Number(b.end) - Number(a.end));
  const found: Element[] = [];
  for (const [i, point] of points.entries()) {
    // An end without a start is the mark that nft puts before the first interval.
    if (point.end) continue;
    const next = points[i + 1];
    const last = next === undefined ? new Uint8Array(point.key.length).fill(0xff) : preceding(next.key);
    const key = [partOf(type, { first: read(point.key, 0), last: read(last, 0) })];
    found.push({ ...point.element, key });
  }
  return found;
}

/** Keys that make no sense (an end before its start) are the message's fault. */
function partOf(
  type: Datatype,
  { first, last }: { readonly first: FieldValue | undefined; readonly last: FieldValue | undefined },
): Exclude<Element['key'], 'default'>[number] {
  try {
    return normalPart(type, { first: required(first, 'field'), last: required(last, 'field') });
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

function completer(set: ElementSet): Complete {
  const readData = dataReader(set.data);
  return (cursor, element) => {
    const { bytes } = cursor;
    if (cursor.data >= 0 && readData !== undefined) element.data = readData(cursor);
    if (cursor.timeout >= 0) {
      const timeout = bytes.readBigUInt64BE(cursor.timeout);
      // Older kernels (6.1 does) tell the set's own of elements that rules have added.
      if (timeout !== set.timeout) element.timeout = timeout;
    }
    if (cursor.expiration >= 0) element.expires = bytes.readBigUInt64BE(cursor.expiration);
    if (cursor.userdata >= 0) {
      const comment = readCommentIn(bytes, { from: cursor.userdata, to: cursor.userdataTo });
      if (comment !== undefined) element.comment = comment;
    }
    if (cursor.expression >= 0 || cursor.expressions >= 0) {
      const counter = readElementCounter(cursor);
      if (counter !== undefined) element.counter = counter;
    }
    return element;
  };
}

function dataReader(
  types: ElementSet['data'],
): ((cursor: ElementCursor) => NonNullable<Element['data']>) | undefined {
  if (types === undefined) return undefined;
  if (types === 'verdict') {
    return ({ bytes, data, dataTo }) => {
      const { NFTA_DATA_VERDICT } = dataAttributes.read(new ByteReader(bytes, data, dataTo));
      return readVerdict(required(NFTA_DATA_VERDICT, 'verdict'));
    };
  }
  const read = fieldsReader(types);
  const size = keyLength(types);
  return (cursor) => read(cursor.bytes, cursor.dataValue(size));
}

/** Reads fields side by side. There must be bytes for all of them. */
function fieldsReader(
  types: readonly Datatype[],
  order?: 'big',
): (bytes: Uint8Array, at: number) => FieldValue[] {
  const readers = types.map((type) => fieldReader(type, order));
  const sizes = types.map(paddedLength);
  return (bytes, from) => {
    const values: FieldValue[] = [];
    let at = from;
    for (let i = 0; i < readers.length; i++) {
      const read = readers[i];
      if (read !== undefined) values.push(read(bytes, at));
      at += sizes[i] ?? 0;
    }
    return values;
  };
}
