// Writes elements of sets and maps as NFTA_SET_ELEM_*, straight into the message: a full load is a hundred thousand of them. A plain
// interval is two elements (its start, and the first value behind it with INTERVAL_END); an interval within a concatenation is one
// element with KEY and KEY_END. Reading is element-read.ts.
import type { ByteWriter } from '../netlink/bytes.ts';
import { NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END } from './attributes.ts';
import { type Datatype, type FieldValue, fieldBytes, keyLength, writeField } from './datatype.ts';
import { bounds, isPlain, type KeyPart } from './interval.ts';
import type { Element, SetFlag, SetType } from './set.ts';
import { writeComment } from './userdata.ts';
import type { Verdict } from './verdict.ts';
import { verdictData } from './verdict-wire.ts';

/** A set as elements see it. */
export interface ElementSet extends SetType {
  readonly flags: readonly SetFlag[];
}

const NLA_F_NESTED = 0x8000;
const headerSize = 4;
const LIST_ELEMENTS = 3 | NLA_F_NESTED;
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

/**
 * Makes a writer of the wire elements of one element each: one, or two for a plain interval. It throws TypeError for an element
 * that is not of the set's types.
 */
export function elementWriter(
  set: ElementSet,
  options: { readonly keysOnly?: boolean } = {},
): (out: ByteWriter, element: Element) => void {
  const keys = { types: set.key, length: keyLength(set.key), order: keyOrder(set) };
  const data =
    set.data === undefined || set.data === 'verdict'
      ? undefined
      : { types: set.data, length: keyLength(set.data), order: undefined };
  const form: Form = { keys, data, keysOnly: options.keysOnly === true };
  const interval = set.flags.includes('interval');
  return (out, element) => {
    const { key } = element;
    if (key === 'default') {
      writeWire(out, form, { element, flags: NFT_SET_ELEM_CATCHALL });
      return;
    }
    if (key.length !== set.key.length)
      throw new TypeError(`Cannot write a key of ${key.length} fields to a set of ${set.key.length}`);
    if (!interval) writeWire(out, form, { element, first: key.every(isPlain) ? key : notPlain(key) });
    else writeInterval(out, form, { element, key });
  };
}

/** NFTA_SET_ELEM_LIST_ELEMENTS with nothing but keys, for asking what is there. */
export function writeElementKeys(
  out: ByteWriter,
  set: ElementSet,
  elements: readonly Pick<Element, 'key'>[],
): void {
  const write = elementWriter(set, { keysOnly: true });
  const at = open(out, LIST_ELEMENTS);
  for (const element of elements) write(out, element);
  close(out, at);
}

/** Fields side by side: what they are and how many bytes they take together. */
interface Fields {
  readonly types: readonly Datatype[];
  readonly length: number;
  readonly order: 'big' | undefined;
}

interface Form {
  readonly keys: Fields;
  readonly data: Fields | undefined;
  readonly keysOnly: boolean;
}

function notPlain(key: readonly KeyPart[]): never {
  throw new TypeError(`Cannot write "${key.map(String).join(' . ')}" to a set without intervals`);
}

/** Interval sets keep all keys in network order, so that bytes compare as values do. */
function keyOrder(set: ElementSet): 'big' | undefined {
  return set.flags.includes('interval') ? 'big' : undefined;
}

function writeInterval(
  out: ByteWriter,
  form: Form,
  { element, key }: { readonly element: Element; readonly key: readonly KeyPart[] },
): void {
  const ends = key.map(bounds);
  const first = ends.map((one) => one.first);
  const last = ends.map((one) => one.last);
  if (key.length > 1) {
    writeWire(out, form, { element, first, last });
    return;
  }
  writeWire(out, form, { element, first });
  const [type] = form.keys.types;
  const [end] = last;
  const behind = type === undefined || end === undefined ? undefined : following(type, end);
  if (behind !== undefined) writeIntervalEnd(out, behind);
}

function writeWire(
  out: ByteWriter,
  form: Form,
  wire: {
    readonly element: Element;
    readonly first?: readonly FieldValue[];
    readonly last?: readonly FieldValue[];
    readonly flags?: number;
  },
): void {
  const { element } = wire;
  const at = open(out, LIST_ELEM);
  if (wire.first !== undefined) writeFields(out, KEY, { ...form.keys, values: wire.first });
  if (wire.flags !== undefined) writeFlags(out, wire.flags);
  if (!form.keysOnly) writeRest(out, form, element);
  if (wire.last !== undefined) writeFields(out, KEY_END, { ...form.keys, values: wire.last });
  close(out, at);
}

function writeFlags(out: ByteWriter, flags: number): void {
  const at = open(out, FLAGS);
  out.be32(flags);
  close(out, at);
}

/** What an element has beside its key. */
function writeRest(out: ByteWriter, form: Form, element: Element): void {
  const { data, timeout, comment } = element;
  if (data !== undefined) {
    if (isVerdict(data)) writeVerdict(out, data);
    else writeData(out, form, data);
  }
  if (timeout !== undefined) {
    const at = open(out, TIMEOUT);
    out.be64(timeout);
    close(out, at);
  }
  if (comment !== undefined) {
    const at = open(out, USERDATA);
    writeComment(out, 0, comment);
    close(out, at);
  }
}

function writeIntervalEnd(out: ByteWriter, key: Uint8Array): void {
  const at = open(out, LIST_ELEM);
  writeFlags(out, NFT_SET_ELEM_INTERVAL_END);
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
  fields: Fields & { readonly values: readonly FieldValue[] },
): void {
  const { types, values, length, order } = fields;
  // Both attributes hold nothing but the fields: their lengths are known.
  out.u16(2 * headerSize + ((length + 3) & ~3));
  out.u16(type);
  out.u16(headerSize + length);
  out.u16(VALUE);
  for (let i = 0; i < types.length; i++) {
    const of = types[i];
    const value = values[i];
    if (of === undefined || value === undefined)
      throw new TypeError('Cannot write an element with a field missing');
    writeField(out, { type: of, value, order });
    out.align();
  }
}

function writeData(out: ByteWriter, form: Form, data: readonly FieldValue[]): void {
  if (form.data === undefined || data.length !== form.data.types.length)
    throw new TypeError("Cannot write data that is not of the map's type");
  writeFields(out, DATA, { ...form.data, values: data });
}

function writeVerdict(out: ByteWriter, verdict: Verdict): void {
  const { NFTA_VERDICT_CODE: code = 0, NFTA_VERDICT_CHAIN: chain } = verdictData(verdict);
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
