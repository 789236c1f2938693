// Datagrams on their way out, gathered into as few messages of one sendmmsg(2) as they can be: those in a row that go to one receiver and
// have one size, the last may be shorter, are one message that the kernel takes apart (UDP_SEGMENT).
import * as libc from '../libc.ts';
import {
  controlField,
  controlSize,
  messageField as field,
  IPPROTO_UDP,
  messageSize,
  messageWords,
  nameSize,
  nameWord,
  nameWords,
  putAddress,
  shortControl,
  UDP_SEGMENT,
} from './message-layout.ts';
import { type PacketMemory, packetMemory } from './packet-memory.ts';
import { Vectors, vectorSize } from './vectors.ts';

/** UDP_MAX_SEGMENTS (linux/udp.h); newer kernels take twice as many. */
const mostSegments = 64;
/** What an IPv4 packet holds beside its own header and UDP's. */
const mostBytes = 65_535 - 28;

export interface SendBatchOptions {
  readonly messages: number;
  readonly vectors: number;
  /** UDP port of all receivers. */
  readonly port: number;
  /** The kernel has UDP_SEGMENT. */
  readonly splits: boolean;
  /** Where it lies; of its own unless given. */
  readonly allocate?: (size: number) => PacketMemory;
}

export class SendBatch {
  readonly vectors: Vectors;
  readonly #memories: readonly PacketMemory[];
  readonly #messages: PacketMemory;
  readonly #names: PacketMemory;
  readonly #controls: PacketMemory;
  readonly #capacity: number;
  /** Of each message: how many datagrams, and the size of all but the last. */
  readonly #counts: Uint16Array;
  readonly #sizes: Uint16Array;
  readonly #totals: Uint16Array;
  /** Of each message: its first vector. */
  readonly #starts: Uint16Array;
  #portWord = 0;
  splits: boolean;
  /** Messages so far. */
  count = 0;
  /** Datagrams so far. */
  datagrams = 0;
  #receiver = 0;
  #isOpen = false;

  constructor(options: SendBatchOptions) {
    const { messages, vectors, port, splits, allocate = packetMemory } = options;
    const vectorMemory = allocate(vectors * vectorSize);
    this.#messages = allocate(messages * messageSize);
    this.#names = allocate(messages * nameSize);
    this.#controls = allocate(messages * controlSize);
    this.#memories = [vectorMemory, this.#messages, this.#names, this.#controls];
    this.vectors = new Vectors(vectorMemory);
    this.#capacity = messages;
    this.#counts = new Uint16Array(messages);
    this.#sizes = new Uint16Array(messages);
    this.#totals = new Uint16Array(messages);
    this.#starts = new Uint16Array(messages);
    this.splits = splits;
    this.port = port;
    for (let i = 0; i < messages; i++) this.#prepare(i);
  }

  set port(port: number) {
    this.#portWord = nameWord(port);
  }

  /** What never changes of a message. */
  #prepare(i: number): void {
    const { words } = this.#messages;
    const at = i * messageWords;
    putAddress(words, at + field.name, this.#names.address + i * nameSize);
    words[at + field.nameLength] = nameSize;
    const control = (i * controlSize) / 4;
    this.#controls.words[control + controlField.length] = shortControl;
    this.#controls.words[control + controlField.level] = IPPROTO_UDP;
    this.#controls.words[control + controlField.type] = UDP_SEGMENT;
  }

  /** How many datagrams more it takes, if each has so many vectors. Each may have to become a message of its own. */
  room(vectorsEach: number): number {
    return Math.min(this.#capacity - this.datagrams, Math.floor(this.vectors.room / vectorsEach));
  }

  /** Begins a datagram of so many bytes; its vectors are to follow. `receiver`: its IPv4 address as four bytes in memory, a word. */
  begin(receiver: number, size: number): void {
    const last = this.count - 1;
    const isNext =
      this.#isOpen &&
      receiver === this.#receiver &&
      size <= (this.#sizes[last] ?? 0) &&
      (this.#counts[last] ?? 0) < mostSegments &&
      (this.#totals[last] ?? 0) + size <= mostBytes;
    if (isNext) {
      this.#counts[last] = (this.#counts[last] ?? 0) + 1;
      this.#totals[last] = (this.#totals[last] ?? 0) + size;
      // A shorter one is the last of its message.
      if (size < (this.#sizes[last] ?? 0)) this.#isOpen = false;
    } else {
      this.#start(receiver, size);
    }
    this.datagrams++;
  }

  #start(receiver: number, size: number): void {
    const i = this.count++;
    this.#counts[i] = 1;
    this.#sizes[i] = size;
    this.#starts[i] = this.vectors.count;
    this.#totals[i] = size;
    this.#receiver = receiver;
    this.#isOpen = this.splits;
    this.#names.words[i * nameWords] = this.#portWord;
    this.#names.words[i * nameWords + 1] = receiver;
  }

  /** Closes the gathering: from then on messages can be sent. Returns the address of the first. */
  finish(): number {
    const { words } = this.#messages;
    for (let i = 0; i < this.count; i++) {
      const at = i * messageWords;
      const start = this.#starts[i] ?? 0;
      putAddress(words, at + field.vectors, this.vectors.addressOf(start));
      words[at + field.vectorCount] = this.#end(i) - start;
      const isSplit = (this.#counts[i] ?? 0) > 1;
      putAddress(words, at + field.control, isSplit ? this.#controls.address + i * controlSize : 0);
      words[at + field.controlLength] = isSplit ? controlSize : 0;
      if (isSplit) this.#controls.words[(i * controlSize) / 4 + controlField.value] = this.#sizes[i] ?? 0;
    }
    this.#isOpen = false;
    return this.#messages.address;
  }

  /** Makes each datagram, from that message on, a message of its own: the kernel, or the way to the receiver, does not let it split them. */
  takeApart(first: number): void {
    const apart: { readonly start: number; readonly receiver: number; readonly size: number }[] = [];
    for (let i = first; i < this.count; i++) {
      const receiver = this.#names.words[i * nameWords + 1] ?? 0;
      const size = this.#sizes[i] ?? 0;
      const end = this.#end(i);
      for (let at = this.#starts[i] ?? 0; at < end; ) {
        const start = at;
        let sum = 0;
        while (at < end && sum < size) sum += this.vectors.lengthOf(at++);
        apart.push({ start, receiver, size: sum });
      }
    }
    this.count = first;
    for (const { start, receiver, size } of apart) {
      this.#start(receiver, size);
      this.#starts[this.count - 1] = start;
    }
    this.finish();
  }

  #end(message: number): number {
    return message + 1 < this.count ? (this.#starts[message + 1] ?? 0) : this.vectors.count;
  }

  /** How many datagrams a message is, and the size of all but its last. */
  segmentsOf(message: number): number {
    return this.#counts[message] ?? 0;
  }

  sizeOf(message: number): number {
    return this.#sizes[message] ?? 0;
  }

  bytesOf(message: number): number {
    return this.#totals[message] ?? 0;
  }

  /** Sends messages from the `first` on: how many, or a negative errno. After `finish`. */
  send(fd: number, first: number): number {
    return libc.sendMessages(fd, this.#messages.address + first * messageSize, this.count - first);
  }

  clear(): void {
    this.vectors.clear();
    this.count = 0;
    this.datagrams = 0;
    this.#isOpen = false;
  }

  free(): void {
    for (const memory of this.#memories) memory.free();
  }
}
