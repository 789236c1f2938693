// Cuts a packet of TCP that the kernel left whole (TSO) into the packets that it stands for: what a network card does. Each is a header of its
// own, written here, and a part of the payload where it lies.
import type { PacketMemory } from '../../../kernel/tun/packet-memory.ts';
import type { SendBatch } from '../../../kernel/tun/send-batch.ts';
import { addUp, putChecksum } from './checksum.ts';
import {
  headerLength,
  ip4,
  long,
  protocols,
  pseudoSum,
  putHeaderChecksum,
  putLong,
  putShort,
  short,
  tcp,
} from './ip4-header.ts';

/** IP and TCP headers with all their options: 120 bytes. */
const slotSize = 128;
const fin = 0x01;
const push = 0x08;
const windowReduced = 0x80;
/** Of a packet: less would be 65,535 bytes in pieces of less than 40. */
const mostSegments = 1700;

export interface WholeTcp {
  readonly memory: PacketMemory;
  /** The packet, which has no header fault. */
  readonly at: number;
  readonly size: number;
  readonly segmentSize: number;
  /** Where the packets go. */
  readonly receiver: number;
}

export class SegmentCutter {
  readonly #headers: PacketMemory;
  readonly #slots: number;
  #used = 0;

  /** `allocate` makes room for the headers of as many packets as a batch takes. */
  constructor(slots: number, allocate: (size: number) => PacketMemory) {
    this.#slots = slots;
    this.#headers = allocate(slots * slotSize);
  }

  /** How many packets it becomes; undefined when it is nothing that can be cut. */
  countOf({ memory: { bytes }, at, size, segmentSize }: WholeTcp): number | undefined {
    const start = headerLength(bytes, at);
    const isTcp = bytes[at + ip4.protocol] === protocols.tcp && size >= start + tcp.headerSize;
    // A fragment begins in the middle of a segment, or ends there.
    if (!isTcp || segmentSize < 1 || (short(bytes, at + ip4.fragment) & 0x3fff) !== 0) return undefined;
    const headers = start + tcpHeaderLength(bytes, at + start);
    if (headers < start + tcp.headerSize || headers > size) return undefined;
    const count = Math.max(1, Math.ceil((size - headers) / segmentSize));
    return count <= mostSegments ? count : undefined;
  }

  get room(): number {
    return this.#slots - this.#used;
  }

  /** Adds its packets to the batch, which has room for as many as `countOf` says, as this has. */
  cut(whole: WholeTcp, batch: SendBatch): void {
    const { memory, at, size, segmentSize, receiver } = whole;
    const start = headerLength(memory.bytes, at);
    const headers = start + tcpHeaderLength(memory.bytes, at + start);
    const sequence = long(memory.bytes, at + start + tcp.sequence);
    const id = short(memory.bytes, at + ip4.id);
    const payload = size - headers;
    for (let done = 0, i = 0; done < payload || i === 0; done += segmentSize, i++) {
      const length = Math.min(segmentSize, payload - done);
      const slot = this.#used++ * slotSize;
      this.#copyHeaders(memory, at, { slot, headers });
      const { bytes } = this.#headers;
      putShort(bytes, slot + ip4.totalLength, headers + length);
      putShort(bytes, slot + ip4.id, (id + i) & 0xffff);
      putHeaderChecksum(this.#headers, slot);
      const header = slot + start;
      putLong(bytes, header + tcp.sequence, (sequence + done) % 2 ** 32);
      const isLast = done + length >= payload;
      let flags = bytes[header + tcp.flags] ?? 0;
      if (!isLast) flags &= ~(fin | push);
      if (i > 0) flags &= ~windowReduced;
      bytes[header + tcp.flags] = flags;
      putShort(bytes, header + tcp.checksum, 0);
      const before = pseudoSum(this.#headers, slot, headers - start + length);
      const withHeader = addUp(this.#headers, header, headers - start, before);
      const sum = addUp(memory, at + headers + done, length, withHeader);
      putChecksum(bytes, header + tcp.checksum, sum);
      batch.begin(receiver, headers + length);
      batch.vectors.add(this.#headers.address + slot, headers);
      if (length > 0) batch.vectors.add(memory.address + at + headers + done, length);
    }
  }

  #copyHeaders(
    memory: PacketMemory,
    at: number,
    to: { readonly slot: number; readonly headers: number },
  ): void {
    const { bytes } = this.#headers;
    for (let i = 0; i < to.headers; i++) bytes[to.slot + i] = memory.bytes[at + i] ?? 0;
  }

  clear(): void {
    this.#used = 0;
  }

  free(): void {
    this.#headers.free();
  }
}

export function tcpHeaderLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at + tcp.dataOffset] ?? 0) >>> 4) << 2;
}
