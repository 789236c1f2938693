// Arrays of struct iovec (linux/uio.h) in native memory, filled one after another.
import { addressAt, putAddress } from './message-layout.ts';
import type { PacketMemory } from './packet-memory.ts';

/** Bytes of a struct iovec: a pointer and a size_t. */
export const vectorSize = 16;
const wordsOfVector = 4;

export class Vectors {
  readonly #memory: PacketMemory;
  /** How many are filled. */
  count = 0;
  readonly capacity: number;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
    this.capacity = Math.floor(memory.bytes.length / vectorSize);
  }

  /** Past its capacity it throws: whoever fills it looks at `room` first. */
  add(address: number, length: number): void {
    if (this.count >= this.capacity) throw new RangeError(`Cannot take more than ${this.capacity} vectors`);
    const { words } = this.#memory;
    const at = this.count * wordsOfVector;
    putAddress(words, at, address);
    words[at + 2] = length;
    words[at + 3] = 0;
    this.count++;
  }

  get room(): number {
    return this.capacity - this.count;
  }

  /** Where what it names lies. */
  targetOf(index: number): number {
    return addressAt(this.#memory.words, index * wordsOfVector);
  }

  lengthOf(index: number): number {
    return this.#memory.words[index * wordsOfVector + 2] ?? 0;
  }

  addressOf(index: number): number {
    return this.#memory.address + index * vectorSize;
  }

  clear(): void {
    this.count = 0;
  }

  free(): void {
    this.#memory.free();
  }
}
