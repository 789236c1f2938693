// Walks the elements in NFTA_SET_ELEM_LIST_ELEMENTS and tells where the parts of each lie, without making anything of them: a full
// table is hundreds of thousands of elements. What the parts mean is element-read.ts.
import { DecodeError } from '../netlink/bytes.ts';

const headerSize = 4;
const typeMask = 0x3fff;
const LIST_ELEM = 1;
const KEY = 1;
const DATA = 2;
const FLAGS = 3;
const TIMEOUT = 4;
const EXPIRATION = 5;
const USERDATA = 6;
const EXPR = 7;
const KEY_END = 10;
const EXPRESSIONS = 11;
const VALUE = 1;

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** The length of the attribute at `at`, its header counted. Throws DecodeError unless it ends before `end`. */
function lengthAt(bytes: Uint8Array, at: number, end: number): number {
  const length = u16(bytes, at);
  if (length < headerSize || length > end - at)
    throw new DecodeError(`Cannot read an attribute of ${length} bytes: ${end - at} are left`);
  return length;
}

/** The payload of the first attribute of a type between two places, or undefined. Throws DecodeError. */
export function findAttribute(
  bytes: Uint8Array,
  range: { readonly type: number; readonly from: number; readonly to: number },
): { readonly from: number; readonly to: number } | undefined {
  for (let at = range.from; range.to - at >= headerSize; ) {
    const length = lengthAt(bytes, at, range.to);
    if ((u16(bytes, at + 2) & typeMask) === range.type) return { from: at + headerSize, to: at + length };
    at += (length + 3) & ~3;
  }
  return undefined;
}

/** Where the parts of the element that it stands at begin (behind their headers) and end. Begin -1: there is no such part. */
export class ElementCursor {
  readonly bytes: Buffer;
  #next = 0;
  flags = 0;
  key = -1;
  #keyTo = 0;
  keyEnd = -1;
  #keyEndTo = 0;
  data = -1;
  dataTo = 0;
  timeout = -1;
  expiration = -1;
  userdata = -1;
  userdataTo = 0;
  /** One expression. */
  expression = -1;
  expressionTo = 0;
  /** A list of expressions. */
  expressions = -1;
  expressionsTo = 0;

  constructor(list: Buffer) {
    this.bytes = list;
  }

  /** Goes to the next element. False when there is none. Throws DecodeError when a length does not fit. */
  next(): boolean {
    const { bytes } = this;
    while (bytes.length - this.#next >= headerSize) {
      const at = this.#next;
      const length = lengthAt(bytes, at, bytes.length);
      this.#next = at + ((length + 3) & ~3);
      if ((u16(bytes, at + 2) & typeMask) !== LIST_ELEM) continue;
      this.#element(at + headerSize, at + length);
      return true;
    }
    return false;
  }

  #element(from: number, end: number): void {
    const { bytes } = this;
    this.flags = 0;
    this.key = this.keyEnd = this.data = this.timeout = this.expiration = this.userdata = -1;
    this.expression = this.expressions = -1;
    for (let at = from; end - at >= headerSize; ) {
      const length = lengthAt(bytes, at, end);
      this.#part(u16(bytes, at + 2) & typeMask, at + headerSize, at + length);
      at += (length + 3) & ~3;
    }
  }

  #part(type: number, from: number, to: number): void {
    switch (type) {
      case KEY:
        this.key = from;
        this.#keyTo = to;
        break;
      case KEY_END:
        this.keyEnd = from;
        this.#keyEndTo = to;
        break;
      case DATA:
        this.data = from;
        this.dataTo = to;
        break;
      case FLAGS:
        if (to - from < 4) throw new DecodeError('Cannot read the flags of an element');
        this.flags = this.bytes.readUInt32BE(from);
        break;
      case TIMEOUT:
        this.timeout = this.#of8(from, to);
        break;
      case EXPIRATION:
        this.expiration = this.#of8(from, to);
        break;
      case USERDATA:
        this.userdata = from;
        this.userdataTo = to;
        break;
      case EXPR:
        this.expression = from;
        this.expressionTo = to;
        break;
      case EXPRESSIONS:
        this.expressions = from;
        this.expressionsTo = to;
        break;
      default:
        break;
    }
  }

  #of8(from: number, to: number): number {
    if (to - from < 8) throw new DecodeError(`Cannot read a time of ${to - from} bytes`);
    return from;
  }

  /** Where so many bytes of the key begin. Throws DecodeError when there are fewer. */
  keyValue(size: number): number {
    return this.#value(this.key, this.#keyTo, size);
  }

  keyEndValue(size: number): number {
    return this.#value(this.keyEnd, this.#keyEndTo, size);
  }

  dataValue(size: number): number {
    return this.#value(this.data, this.dataTo, size);
  }

  #value(from: number, to: number, size: number): number {
    if (from < 0) throw new DecodeError('Cannot read nf_tables message: a value is missing');
    const found = findAttribute(this.bytes, { type: VALUE, from, to });
    if (found === undefined || found.to - found.from < size)
      throw new DecodeError(`Cannot read a value of ${size} bytes: it is shorter`);
    return found.from;
  }
}
