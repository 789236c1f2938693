// Joins packets in a row of one TCP flow into one that stands for them all (what GRO does), so that the machine routes once for many. It joins
// only what it could cut again into the very same packets, as far as a receiver can tell, and only after it has looked at their checksums:
// of a joined packet nobody else does.
import type { PacketMemory } from '../../../kernel/tun/packet-memory.ts';
import { Vectors, vectorSize } from '../../../kernel/tun/vectors.ts';
import { addUp } from './checksum.ts';
import { tcpHeaderLength } from './cut-segments.ts';
import {
  ip4,
  long,
  protocols,
  pseudoSum,
  putHeaderChecksum,
  putShort,
  short,
  tcp,
  word,
} from './ip4-header.ts';
import { putTcpSegments, virtioSize } from './virtio-header.ts';

const mostJoined = 64;
const largest = 65_535;
const noOptions = 0x45;
const acknowledge = 0x10;
const push = 0x08;
const dontFragment = 0x4000;
/** In memory of our own: the headers of a joined packet, struct virtio_net_hdr before and up to 80 bytes behind; zeros for all others. */
const joinedAt = 16;
const zeros = 112;
const ownSize = 128;

export interface SegmentJoinerOptions {
  /** Where all packets lie. */
  readonly memory: PacketMemory;
  /** Gives the machine one packet; the vectors are filled anew for the next. */
  readonly write: (vectors: Vectors) => void;
  readonly allocate: (size: number) => PacketMemory;
}

export class SegmentJoiner {
  readonly #memory: PacketMemory;
  readonly #write: (vectors: Vectors) => void;
  /** Zeros, and the headers of joined packets. */
  readonly #own: PacketMemory;
  readonly #vectors: Vectors;
  /** Of the packets that are held: where they are and how large. */
  readonly #places = new Int32Array(mostJoined);
  readonly #sizes = new Int32Array(mostJoined);
  #count = 0;
  #headers = 0;
  #segment = 0;
  #total = 0;
  #nextSequence = 0;
  #isFirstSound = false;

  constructor({ memory, write, allocate }: SegmentJoinerOptions) {
    this.#memory = memory;
    this.#write = write;
    this.#own = allocate(ownSize);
    this.#vectors = new Vectors(allocate((mostJoined + 2) * vectorSize));
  }

  /** Takes a packet without header fault. It may be held until the next one comes, or `flush`. */
  take(at: number, size: number): void {
    const headers = this.#joinableHeaders(at, size);
    if (headers === 0) {
      this.flush();
      this.#writeOne(at, size);
      return;
    }
    if (this.#count > 0) {
      if (this.#continues(at, size, headers) && this.#isFirstOk() && this.#isSound(at, size)) {
        this.#hold(at, size);
        const isEnd = size - headers < this.#segment || this.#isPushed(at) || this.#count === mostJoined;
        if (isEnd) this.flush();
        return;
      }
      this.flush();
    }
    if (this.#isPushed(at)) {
      this.#writeOne(at, size);
      return;
    }
    this.#headers = headers;
    this.#segment = size - headers;
    this.#total = headers;
    this.#nextSequence = long(this.#memory.bytes, at + ip4.headerSize + tcp.sequence);
    this.#isFirstSound = false;
    this.#hold(at, size);
  }

  /** Writes what is held. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    if (count === 1) this.#writeOne(this.#places[0] ?? 0, this.#sizes[0] ?? 0);
    else this.#writeJoined(count);
  }

  /** The length of both headers; 0 when it is nothing to be joined: not TCP, without payload, with any flag but acknowledge and push. */
  #joinableHeaders(at: number, size: number): number {
    const { bytes } = this.#memory;
    if (bytes[at] !== noOptions || bytes[at + ip4.protocol] !== protocols.tcp) return 0;
    if (size <= ip4.headerSize + tcp.headerSize) return 0;
    if ((short(bytes, at + ip4.fragment) & ~dontFragment) !== 0) return 0;
    const header = at + ip4.headerSize;
    const headers = ip4.headerSize + tcpHeaderLength(bytes, header);
    if (headers < ip4.headerSize + tcp.headerSize || headers >= size) return 0;
    return ((bytes[header + tcp.flags] ?? 0) & ~push) === acknowledge ? headers : 0;
  }

  #isPushed(at: number): boolean {
    return ((this.#memory.bytes[at + ip4.headerSize + tcp.flags] ?? 0) & push) !== 0;
  }

  #continues(at: number, size: number, headers: number): boolean {
    const { bytes } = this.#memory;
    const first = this.#places[0] ?? 0;
    const header = at + ip4.headerSize;
    const firstHeader = first + ip4.headerSize;
    return (
      headers === this.#headers &&
      size - headers <= this.#segment &&
      this.#total + size - headers <= largest &&
      long(bytes, header + tcp.sequence) === this.#nextSequence &&
      // Both ports, both addresses, what is acknowledged, the window.
      word(bytes, header) === word(bytes, firstHeader) &&
      word(bytes, at + ip4.source) === word(bytes, first + ip4.source) &&
      word(bytes, at + ip4.destination) === word(bytes, first + ip4.destination) &&
      word(bytes, header + tcp.acknowledgement) === word(bytes, firstHeader + tcp.acknowledgement) &&
      short(bytes, header + tcp.window) === short(bytes, firstHeader + tcp.window) &&
      bytes[header + tcp.dataOffset] === bytes[firstHeader + tcp.dataOffset] &&
      bytes[at + ip4.tos] === bytes[first + ip4.tos] &&
      bytes[at + ip4.ttl] === bytes[first + ip4.ttl] &&
      this.#isNextId(at) &&
      this.#hasSameOptions(header, firstHeader)
    );
  }

  /** Cut again they are numbered one by one; of what is never fragmented numbers mean nothing (RFC 6864). */
  #isNextId(at: number): boolean {
    const { bytes } = this.#memory;
    const first = this.#places[0] ?? 0;
    const fragment = short(bytes, at + ip4.fragment);
    if (fragment !== short(bytes, first + ip4.fragment)) return false;
    const id = (short(bytes, first + ip4.id) + this.#count) & 0xffff;
    return fragment === dontFragment || short(bytes, at + ip4.id) === id;
  }

  #hasSameOptions(header: number, firstHeader: number): boolean {
    const { bytes } = this.#memory;
    const end = this.#headers - ip4.headerSize;
    for (let i = tcp.options; i < end; i++) {
      if (bytes[header + i] !== bytes[firstHeader + i]) return false;
    }
    return true;
  }

  #isFirstOk(): boolean {
    this.#isFirstSound ||= this.#isSound(this.#places[0] ?? 0, this.#sizes[0] ?? 0);
    return this.#isFirstSound;
  }

  /** Whether TCP's checksum is right. */
  #isSound(at: number, size: number): boolean {
    const length = size - ip4.headerSize;
    return addUp(this.#memory, at + ip4.headerSize, length, pseudoSum(this.#memory, at, length)) === 0xffff;
  }

  #hold(at: number, size: number): void {
    this.#places[this.#count] = at;
    this.#sizes[this.#count] = size;
    this.#count++;
    this.#total += size - this.#headers;
    this.#nextSequence = (this.#nextSequence + size - this.#headers) % 2 ** 32;
  }

  #writeOne(at: number, size: number): void {
    const vectors = this.#vectors;
    vectors.clear();
    vectors.add(this.#own.address + zeros, virtioSize);
    vectors.add(this.#memory.address + at, size);
    this.#write(vectors);
  }

  #writeJoined(count: number): void {
    const { bytes } = this.#own;
    const headers = this.#headers;
    const first = this.#places[0] ?? 0;
    const last = this.#places[count - 1] ?? 0;
    for (let i = 0; i < headers; i++) bytes[joinedAt + i] = this.#memory.bytes[first + i] ?? 0;
    putShort(bytes, joinedAt + ip4.totalLength, this.#total);
    putHeaderChecksum(this.#own, joinedAt);
    const header = joinedAt + ip4.headerSize;
    if (this.#isPushed(last)) bytes[header + tcp.flags] = acknowledge | push;
    const sum = pseudoSum(this.#own, joinedAt, this.#total - ip4.headerSize);
    // Not its complement: whoever completes the checksum begins with it.
    bytes[header + tcp.checksum] = sum & 0xff;
    bytes[header + tcp.checksum + 1] = sum >>> 8;
    putTcpSegments(bytes, joinedAt - virtioSize, {
      headerLength: headers,
      segmentSize: this.#segment,
      checksumStart: ip4.headerSize,
      checksumOffset: tcp.checksum,
    });
    const vectors = this.#vectors;
    vectors.clear();
    vectors.add(this.#own.address + joinedAt - virtioSize, virtioSize + headers);
    for (let i = 0; i < count; i++) {
      const place = this.#places[i] ?? 0;
      vectors.add(this.#memory.address + place + headers, (this.#sizes[i] ?? 0) - headers);
    }
    this.#write(vectors);
  }

  free(): void {
    this.#own.free();
    this.#vectors.free();
  }
}
