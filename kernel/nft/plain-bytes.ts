// The codec of bytes that are compared by value: a plain Uint8Array, where netlink's own codec yields a Buffer.
import type { Codec } from '../netlink/codec.ts';

export const plainBytes: Codec<Uint8Array> = {
  write: (out, value) => out.raw(value),
  read: (input) => Uint8Array.from(input.raw()),
};
