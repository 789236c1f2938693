// Codecs of single values inside netlink messages: numbers, text, addresses, fixed structures. Attribute tables are in
// attribute-table.ts. A codec reads a slice that holds exactly its value, or the value and more (in structures).
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { type ByteReader, type ByteWriter, DecodeError } from './bytes.ts';

/** Encodes and decodes one kind of value. `read` throws DecodeError and nothing else. */
export interface Codec<T> {
  write(out: ByteWriter, value: T): void;
  read(input: ByteReader): T;
}

export type ValueOf<C> = C extends Codec<infer T> ? T : never;

export const u8: Codec<number> = { write: (out, value) => out.u8(value), read: (input) => input.u8() };
export const u16: Codec<number> = { write: (out, value) => out.u16(value), read: (input) => input.u16() };
export const u32: Codec<number> = { write: (out, value) => out.u32(value), read: (input) => input.u32() };
export const i32: Codec<number> = { write: (out, value) => out.i32(value), read: (input) => input.i32() };
export const u64: Codec<bigint> = { write: (out, value) => out.u64(value), read: (input) => input.u64() };
export const be16: Codec<number> = { write: (out, value) => out.be16(value), read: (input) => input.be16() };
export const be32: Codec<number> = { write: (out, value) => out.be32(value), read: (input) => input.be32() };
export const be64: Codec<bigint> = { write: (out, value) => out.be64(value), read: (input) => input.be64() };

/** Signed 32 bits in network order, as nf_tables writes priorities. */
export const bei32: Codec<number> = {
  write: (out, value) => out.be32(value >>> 0),
  read: (input) => input.be32() | 0,
};

/** One byte, 0 or 1. */
export const bool8: Codec<boolean> = {
  write: (out, value) => out.u8(value ? 1 : 0),
  read: (input) => input.u8() !== 0,
};

/** An attribute without a payload: present is true. (Write it only when true: leave it undefined otherwise.) */
export const flag: Codec<true> = { write: () => undefined, read: () => true };

/** UTF-8 text that ends with a zero byte; whatever follows the zero is ignored. */
export const text: Codec<string> = {
  write(out, value) {
    if (value.includes('\0'))
      throw new TypeError(`Cannot encode text with a zero byte: ${JSON.stringify(value)}`);
    out.text(value);
    out.u8(0);
  },
  read(input) {
    const bytes = input.raw();
    const end = bytes.indexOf(0);
    return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  },
};

/** Bytes as they are. */
export const bytes: Codec<Uint8Array> = {
  write: (out, value) => out.raw(value),
  read: (input) => input.raw(),
};

/** Exactly so many bytes. */
export function bytesOf(size: number): Codec<Uint8Array> {
  return {
    write(out, value) {
      if (value.length !== size)
        throw new TypeError(`Cannot encode ${value.length} bytes: ${size} are needed`);
      out.raw(value);
    },
    read: (input) => input.raw(size),
  };
}

/** An address of either family; the length of the slice tells which. */
export const ipAddress: Codec<IpAddress> = {
  write: (out, value) => out.raw(value.bytes),
  read(input) {
    const size = input.remaining;
    if (size !== 4 && size !== 16) throw new DecodeError(`Cannot read an IP address of ${size} bytes`);
    return IpAddress.fromBytes(input.raw());
  },
};

/** A hardware address of six bytes. */
export const macAddress: Codec<Mac> = {
  write: (out, value) => out.raw(value.bytes),
  read(input) {
    if (input.remaining !== 6) throw new DecodeError(`Cannot read a MAC address of ${input.remaining} bytes`);
    return Mac.fromBytes(input.raw());
  },
};

/** `size` bytes that carry nothing. */
export function padding(size: number): Codec<undefined> {
  return { write: (out) => out.zeros(size), read: (input) => input.skip(size) as undefined };
}

type Fields = Readonly<Record<string, Codec<unknown>>>;
type StructOf<T extends Fields> = {
  readonly [K in keyof T as K extends `_${string}` ? never : K]: ValueOf<T[K]>;
};

/** A C structure without implicit padding: its fields in order. Names that begin with "_" are padding and not part of the value. */
export function struct<const T extends Fields>(fields: T): Codec<StructOf<T>> {
  const entries = Object.entries(fields);
  return {
    write(out, value) {
      const values: Readonly<Record<string, unknown>> = value;
      for (const [name, codec] of entries) codec.write(out, values[name]);
    },
    read(input) {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) {
        const field = codec.read(input);
        if (!name.startsWith('_')) value[name] = field;
      }
      // The loop above has just built exactly the fields of T.
      return value as StructOf<T>;
    },
  };
}
