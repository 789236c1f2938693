// Typed attribute tables: one declaration encodes and decodes a set of netlink attributes (struct nlattr, linux/netlink.h).
// Keys are the kernel's names. Attributes that a table does not know are skipped, as the kernel's own readers do.
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import type { Codec, ValueOf } from './codec.ts';

const NLA_F_NESTED = 0x8000;
const NLA_F_NET_BYTEORDER = 0x4000;
const NLA_TYPE_MASK = 0x3fff;
const headerSize = 4;
const longestAttribute = 0xffff;

/** How deep attributes may nest while they are read; the kernel's own messages stay below ten. */
const deepest = 32;

type Seen = Readonly<Record<string, unknown>>;

/** One attribute: its number, the codec of its payload and whether the header says "nested". */
export interface Attribute<T> {
  readonly type: number;
  readonly nested: boolean;
  /** The header says "in network order". */
  readonly inNetOrder?: boolean | undefined;
  /** The codec, given what was read (or is to be written) of the attributes above it in the table. */
  codec(seen: Seen): Codec<T> | undefined;
}

type Table = Readonly<Record<string, Attribute<unknown>>>;

/** What a table encodes and decodes: every attribute may be absent. */
export type AttributesOf<T extends Table> = {
  readonly [K in keyof T]?: (T[K] extends Attribute<infer V> ? V : never) | undefined;
};

export type TableValue<C> = C extends Codec<infer T> ? T : never;

/** An attribute with a plain payload. */
export function at<T>(type: number, codec: Codec<T>): Attribute<T> {
  return { type, nested: false, codec: () => codec };
}

/** The same with a header that says that the number is in network order, which its codec writes: ipset wants it. */
export function atInNetOrder<T>(type: number, codec: Codec<T>): Attribute<T> {
  return { type, nested: false, inNetOrder: true, codec: () => codec };
}

/** An attribute that holds attributes. `unmarked`: the header does not say so (older parts of the kernel's interface). */
export function nest<T>(type: number, codec: Codec<T>, options?: { readonly unmarked: true }): Attribute<T> {
  return { type, nested: options === undefined, codec: () => codec };
}

/**
 * A nested attribute whose content depends on a sibling above it, as IFLA_INFO_DATA on IFLA_INFO_KIND. Of a kind that is
 * not in `codecs` the payload is skipped.
 */
export function nestBy<const T extends Readonly<Record<string, Codec<unknown>>>>(
  type: number,
  options: { readonly sibling: string; readonly codecs: T },
): Attribute<ValueOf<T[keyof T]>> {
  return {
    type,
    nested: true,
    codec(seen) {
      const kind = seen[options.sibling];
      // The union of the codecs' values: callers narrow it by the sibling.
      return typeof kind === 'string' && Object.hasOwn(options.codecs, kind)
        ? (options.codecs[kind] as Codec<ValueOf<T[keyof T]>>)
        : undefined;
    },
  };
}

/** Makes the codec of a table. It writes attributes in the table's order; of repeated ones the last is read. */
export function attributeTable<const T extends Table>(table: T): Codec<AttributesOf<T>> {
  const entries = Object.entries(table);
  const names = new Map(entries.map(([name, attribute]) => [attribute.type, name]));
  if (names.size !== entries.length)
    throw new TypeError('Cannot make an attribute table with one number twice');
  return {
    write(out, value) {
      const values: Seen = value;
      for (const [name, attribute] of entries) {
        const content = values[name];
        if (content === undefined) continue;
        const codec = attribute.codec(values);
        if (codec === undefined)
          throw new TypeError(`Cannot encode ${name}: no codec for it beside its siblings`);
        writeAttribute(out, attribute, () => codec.write(out, content));
      }
    },
    read(input) {
      const slices = new Map<string, ByteReader>();
      for (const [type, slice] of readAttributes(input)) {
        const name = names.get(type);
        if (name !== undefined) slices.set(name, slice);
      }
      const value: Record<string, unknown> = {};
      for (const [name, attribute] of entries) {
        const slice = slices.get(name);
        if (slice === undefined) continue;
        const content = within(name, () => attribute.codec(value)?.read(slice));
        if (content !== undefined) value[name] = content;
      }
      // Each key of the table now holds what its own codec has read, or is absent.
      return value as AttributesOf<T>;
    },
  };
}

/** A list of attributes that all have the same type (NFTA_LIST_ELEM) or are numbered from `type` on and read in any numbering. */
export function listOf<T>(item: Attribute<T>): Codec<readonly T[]> {
  return {
    write(out, values) {
      for (const value of values) {
        const codec = item.codec({});
        if (codec === undefined) throw new TypeError('Cannot encode a list whose items have no codec');
        writeAttribute(out, item, () => codec.write(out, value));
      }
    },
    read(input) {
      const values: T[] = [];
      for (const [type, slice] of readAttributes(input)) {
        if (type !== item.type) continue;
        const value = within(`[${values.length}]`, () => item.codec({})?.read(slice));
        if (value !== undefined) values.push(value);
      }
      return values;
    },
  };
}

function writeAttribute(out: ByteWriter, attribute: Attribute<unknown>, content: () => void): void {
  out.align();
  const start = out.length;
  out.u16(0);
  const order = attribute.inNetOrder === true ? NLA_F_NET_BYTEORDER : 0;
  out.u16(attribute.type | order | (attribute.nested ? NLA_F_NESTED : 0));
  content();
  const length = out.length - start;
  if (length > longestAttribute) {
    throw new RangeError(
      `Cannot encode attribute ${attribute.type} of ${length} bytes: ${longestAttribute} is the most`,
    );
  }
  out.patchU16(start, length);
  out.align();
}

/** All attributes of a slice, in order, as [type, payload]. */
function* readAttributes(input: ByteReader): Generator<readonly [type: number, slice: ByteReader]> {
  // Less than a header at the end is padding of the message.
  while (input.remaining >= headerSize) {
    const length = input.u16();
    const type = input.u16() & NLA_TYPE_MASK;
    if (length < headerSize) throw new DecodeError(`Cannot read attribute ${type}: its length is ${length}`);
    const slice = input.slice(length - headerSize);
    input.skipPadding(length);
    yield [type, slice];
  }
}

let depth = 0;

/** Runs a read with the attribute's name put in front of its error; bounds how deep attributes nest. */
function within<T>(name: string, read: () => T): T {
  if (depth >= deepest) throw new DecodeError(`Cannot read attributes nested deeper than ${deepest}`);
  depth += 1;
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new DecodeError(`${name}: ${error.message}`);
  } finally {
    depth -= 1;
  }
}
