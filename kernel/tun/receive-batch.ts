// Datagrams on their way in: room for several messages of one recvmmsg(2), each of which may be several datagrams of one size that the
// kernel joined (UDP_GRO).
import * as libc from '../libc.ts';
import {
  controlField,
  controlSize,
  messageField as field,
  IPPROTO_UDP,
  intControl,
  messageSize,
  messageWords,
  nameSize,
  nameWords,
  putAddress,
  UDP_GRO,
} from './message-layout.ts';
import { type PacketMemory, packetMemory } from './packet-memory.ts';
import { Vectors, vectorSize } from './vectors.ts';

/** The largest that UDP carries; in lines of the cache that are not the same for every slot. */
const largest = 65_536;
const stride = largest + 2112;

export class ReceiveBatch {
  /** The slots. */
  readonly data: PacketMemory;
  readonly #messages: PacketMemory;
  readonly #names: PacketMemory;
  readonly #controls: PacketMemory;
  readonly #vectors: Vectors;
  readonly #slots: number;
  readonly #segments: number[] = [];
  readonly #lengths: number[] = [];

  constructor(slots: number) {
    this.#slots = slots;
    this.data = packetMemory(slots * stride);
    this.#messages = packetMemory(slots * messageSize);
    this.#names = packetMemory(slots * nameSize);
    this.#controls = packetMemory(slots * controlSize);
    this.#vectors = new Vectors(packetMemory(slots * vectorSize));
    const { words } = this.#messages;
    for (let i = 0; i < slots; i++) {
      const at = i * messageWords;
      this.#vectors.add(this.data.address + i * stride, largest);
      putAddress(words, at + field.name, this.#names.address + i * nameSize);
      putAddress(words, at + field.vectors, this.#vectors.addressOf(i));
      words[at + field.vectorCount] = 1;
      putAddress(words, at + field.control, this.#controls.address + i * controlSize);
      this.#reset(i);
    }
  }

  /** What the kernel overwrites. */
  #reset(message: number): void {
    const { words } = this.#messages;
    const at = message * messageWords;
    words[at + field.nameLength] = nameSize;
    words[at + field.controlLength] = controlSize;
    words[at + field.flags] = 0;
  }

  /** How many messages came, or a negative errno. What came before is forgotten. */
  receive(fd: number): number {
    const count = libc.receiveMessages(fd, this.#messages.address, this.#slots);
    for (let i = 0; i < count; i++) {
      const at = i * messageWords;
      this.#segments[i] = this.#joinedSize(i);
      this.#lengths[i] = this.#messages.words[at + field.length] ?? 0;
      this.#reset(i);
    }
    return count;
  }

  #joinedSize(message: number): number {
    const length = this.#messages.words[message * messageWords + field.controlLength] ?? 0;
    const { words } = this.#controls;
    const at = (message * controlSize) / 4;
    const isJoined =
      length >= intControl &&
      words[at + controlField.level] === IPPROTO_UDP &&
      words[at + controlField.type] === UDP_GRO;
    return isJoined ? (words[at + controlField.value] ?? 0) : 0;
  }

  /** Where a message begins in `data`. */
  offsetOf(message: number): number {
    return message * stride;
  }

  lengthOf(message: number): number {
    return this.#lengths[message] ?? 0;
  }

  /** The size of all of its datagrams but the last; 0 when it is one. */
  segmentOf(message: number): number {
    return this.#segments[message] ?? 0;
  }

  /** The sender's IPv4 address as four bytes in memory, a word. */
  senderOf(message: number): number {
    return this.#names.words[message * nameWords + 1] ?? 0;
  }

  senderPortOf(message: number): number {
    const { bytes } = this.#names;
    return ((bytes[message * nameSize + 2] ?? 0) << 8) | (bytes[message * nameSize + 3] ?? 0);
  }

  free(): void {
    for (const memory of [this.data, this.#messages, this.#names, this.#controls]) memory.free();
    this.#vectors.free();
  }
}
