// Writes elements of sets and maps as NFTA_SET_ELEM_*, straight into the message: a full load is a hundred thousand of them. A plain
// interval is two elements (its start, and the first value behind it with INTERVAL_END); an interval within a concatenation is one
// element with KEY and KEY_END. Reading is element-read.ts.
import type { ByteWriter } from '../netlink/bytes.ts';
import { NFT_SET_ELEM_CATCHALL, NFT_SET_ELEM_INTERVAL_END } from './attributes.ts';
import {
  type Datatype,
  type FieldValue,
  fieldBytes,
  fieldWriter,
  keyLength,
  paddedLength,
  typeInfo,
} from './datatype.ts';
import { bounds, type KeyPart } from './interval.ts';
import type { Element, SetFlag, SetType } from './set.ts';
import { writeComment } from './userdata.ts';
import type { Verdict } from './verdict.ts';
import { verdictData } from './verdict-wire.ts';

/** A set as elements see it. */
export interface ElementSet extends SetType {
  readonly flags: readonly SetFlag[];
  /** Milliseconds, of elements that have none of their own. */
  readonly timeout?: bigint | undefined;
}

const NLA_F_NESTED = 0x8000;
const headerSize = 4;
const longestAttribute = 0xffff;
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
  const at = out.room(headerSize);
  put16(out.memory, at + 2, type);
  return at;
}

function close(out: ByteWriter, at: number): void {
  const length = out.length - at;
  if (length > longestAttribute) throw new RangeError(`Cannot write an attribute of ${length} bytes`);
  put16(out.memory, at, length);
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
  const interval = set.flags.includes('interval');
  // Interval sets keep all keys in network order, so that bytes compare as values do.
  const order = interval ? ('big' as const) : undefined;
  const form: Form = {
    key: fieldsWriter(KEY, { types: set.key, order }),
    keyEnd: fieldsWriter(KEY_END, { types: set.key, order }),
    data:
      set.data === undefined || set.data === 'verdict'
        ? undefined
        : fieldsWriter(DATA, { types: set.data, order: undefined }),
    keysOnly: options.keysOnly === true,
  };
  const [type] = set.key;
  return (out, element) => {
    const { key } = element;
    if (key === 'default') writeWire(out, form, { element, flags: NFT_SET_ELEM_CATCHALL });
    else if (!interval) writeWire(out, form, { element, first: key });
    else writeInterval(out, form, { element, key, type });
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

/** Writes an attribute that holds nothing but fields side by side. */
type FieldsWriter = (out: ByteWriter, values: readonly unknown[]) => void;

interface Form {
  readonly key: FieldsWriter;
  readonly keyEnd: FieldsWriter;
  readonly data: FieldsWriter | undefined;
  readonly keysOnly: boolean;
}

function writeInterval(
  out: ByteWriter,
  form: Form,
  {
    element,
    key,
    type,
  }: { readonly element: Element; readonly key: readonly KeyPart[]; readonly type: Datatype | undefined },
): void {
  const ends = key.map(bounds);
  const first = ends.map((one) => one.first);
  const last = ends.map((one) => one.last);
  if (key.length > 1) {
    writeWire(out, form, { element, first, last });
    return;
  }
  writeWire(out, form, { element, first });
  const [end] = last;
  const behind = type === undefined || end === undefined ? undefined : following(type, end);
  if (behind !== undefined) writeIntervalEnd(out, behind);
}

function writeWire(
  out: ByteWriter,
  form: Form,
  wire: {
    readonly element: Element;
    readonly first?: readonly KeyPart[];
    readonly last?: readonly KeyPart[];
    readonly flags?: number;
  },
): void {
  const { element } = wire;
  const at = open(out, LIST_ELEM);
  if (wire.first !== undefined) form.key(out, wire.first);
  if (wire.flags !== undefined) writeFlags(out, wire.flags);
  if (!form.keysOnly) writeRest(out, form, element);
  if (wire.last !== undefined) form.keyEnd(out, wire.last);
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

/** All lengths are known beforehand: this runs twice for every element of a full load. */
function fieldsWriter(
  attribute: number,
  fields: { readonly types: readonly Datatype[]; readonly order: 'big' | undefined },
): FieldsWriter {
  const { types } = fields;
  const length = keyLength(types);
  const size = 2 * headerSize + ((length + 3) & ~3);
  const writers = types.map((type) => fieldWriter(type, fields.order));
  const sizes = types.map(paddedLength);
  const lengths = types.map((type) => typeInfo(type).length);
  return (out, values) => {
    if (values.length !== types.length)
      throw new TypeError(`Cannot write ${values.length} fields where there are ${types.length}`);
    const start = out.room(size);
    const { memory } = out;
    put16(memory, start, size);
    put16(memory, start + 2, attribute);
    put16(memory, start + 4, headerSize + length);
    put16(memory, start + 6, VALUE);
    let at = start + 2 * headerSize;
    for (let i = 0; i < writers.length; i++) {
      writers[i]?.(memory, at, values[i]);
      const end = at + (sizes[i] ?? 0);
      for (let pad = at + (lengths[i] ?? 0); pad < end; pad++) memory[pad] = 0;
      at = end;
    }
  };
}

function put16(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value & 0xff;
  memory[at + 1] = value >>> 8;
}

function writeData(out: ByteWriter, form: Form, data: readonly FieldValue[]): void {
  if (form.data === undefined) throw new TypeError("Cannot write data that is not of the map's type");
  form.data(out, data);
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
