// The ends of a tunnel in userspace, as one thread waits for and uses them: a TUN device, a UDP socket, a raw socket, and an eventfd by which
// others wake it. What goes through is the tunnel's business.
import * as libc from '../libc.ts';
import { nameSize, nameWord } from './message-layout.ts';
import { packetMemory } from './packet-memory.ts';
import type { Vectors } from './vectors.ts';

/** struct pollfd, in words: the descriptor, what is wanted and, in the upper half, what there is. */
const pollWords = 2;
const entries = { wake: 0, tun: 1, udp: 2 } as const;
const names = 16 * 4;

/** Descriptors; -1: there is none. */
export interface TunnelDescriptors {
  readonly tun: number;
  readonly udp: number;
  readonly raw: number;
}

export const noDescriptors: TunnelDescriptors = { tun: -1, udp: -1, raw: -1 };

/** What of the ends is ready. */
export interface ReadyEnds {
  woken: boolean;
  tun: boolean;
  udp: boolean;
}

export class TunnelEnds {
  readonly #wake: number;
  readonly #memory = packetMemory(names + nameSize);
  readonly #ready: ReadyEnds = { woken: false, tun: false, udp: false };
  #fds: TunnelDescriptors = noDescriptors;

  constructor(wake: number) {
    this.#wake = wake;
    this.#memory.words[entries.wake * pollWords] = wake;
    this.#memory.words[entries.wake * pollWords + 1] = libc.POLLIN;
    this.use(noDescriptors);
  }

  use(fds: TunnelDescriptors): void {
    this.#fds = fds;
    this.#memory.words[entries.udp * pollWords] = fds.udp;
  }

  /**
   * Waits until there is something to do: a packet from the device or, when the socket's buffer is full, room in that; a datagram; a call.
   * Never longer than `milliseconds`. The answer is the same object each time.
   */
  wait(milliseconds: number, isFull: boolean): ReadyEnds {
    const { words } = this.#memory;
    // Not even errors of the device: nobody would read it.
    words[entries.tun * pollWords] = isFull ? -1 : this.#fds.tun;
    words[entries.tun * pollWords + 1] = libc.POLLIN;
    words[entries.udp * pollWords + 1] = libc.POLLIN | (isFull ? libc.POLLOUT : 0);
    libc.pollNow(this.#memory.address, 3, milliseconds);
    const ready = this.#ready;
    ready.woken = this.#events(entries.wake) !== 0;
    ready.tun = this.#events(entries.tun) !== 0;
    ready.udp = this.#events(entries.udp) !== 0;
    if (ready.woken) libc.clearEventfd(this.#wake);
    return ready;
  }

  #events(entry: number): number {
    return (this.#memory.words[entry * pollWords + 1] ?? 0) >>> 16;
  }

  /** Bytes of one packet, behind its struct virtio_net_hdr, or a negative errno: -EAGAIN when there is none. */
  read(address: number, size: number): number {
    return libc.readTo(this.#fds.tun, address, size);
  }

  /** Gives the machine one packet, behind its struct virtio_net_hdr. A negative errno when it does not take it. */
  write(vectors: Vectors): number {
    return libc.writeVectors(this.#fds.tun, vectors.addressOf(0), vectors.count);
  }

  get udp(): number {
    return this.#fds.udp;
  }

  /** Sends a packet as the machine's own. `receiver`: an IPv4 address as four bytes in memory, a word. */
  sendRaw(packet: libc.Datagram, receiver: number): number {
    const { words, address } = this.#memory;
    words[names / 4] = nameWord(0);
    words[names / 4 + 1] = receiver;
    return libc.sendDatagram(this.#fds.raw, packet, { address: address + names, size: nameSize });
  }

  free(): void {
    this.#memory.free();
  }
}
