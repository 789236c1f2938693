// A stretch of memory that the kernel reads and writes by address and that we read and write by offset. In tests it is any bytes.
import { type NativeMemory, nativeMemory } from '../libc.ts';

export interface PacketMemory {
  /** Of its first byte; a multiple of 16. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The same memory, as words in the machine's order (little-endian on both of ours). */
  readonly words: Uint32Array;
  free(): void;
}

/** `size`: a multiple of 4. Pages that nobody touches cost nothing. */
export function packetMemory(size: number): PacketMemory {
  return withViews(nativeMemory(size));
}

/** No kernel may be given its address. */
export function imaginaryMemory(size: number, address: number): PacketMemory {
  return withViews({ address, bytes: new ArrayBuffer(size), free: () => {} });
}

function withViews({ address, bytes, free }: NativeMemory): PacketMemory {
  return { address, bytes: new Uint8Array(bytes), words: new Uint32Array(bytes), free };
}
