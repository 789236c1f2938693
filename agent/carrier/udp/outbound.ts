// From the device to the peers: takes packets as the kernel gives them and adds to the batch what is to be sent. It sends nothing.
import type { PacketMemory } from '../../../kernel/tun/packet-memory.ts';
import type { SendBatch } from '../../../kernel/tun/send-batch.ts';
import { addUp, putChecksum } from './checksum.ts';
import type { SegmentCutter } from './cut-segments.ts';
import { netUnreachable, timeExceeded } from './icmp-error.ts';
import type { IcmpTeller } from './icmp-teller.ts';
import { decrementTtl, headerFault, ip4, protocols, word } from './ip4-header.ts';
import type { PeerRoutes } from './peer-routes.ts';
import type { SendDrop, UdpCounters } from './udp-counters.ts';
import {
  checksumOffsetOf,
  checksumStartOf,
  kindOf,
  segmentSizeOf,
  tcpSegments,
  virtioSize,
  wantsChecksum,
  whole,
} from './virtio-header.ts';

export interface OutboundOptions {
  readonly batch: SendBatch;
  readonly cutter: SegmentCutter;
  readonly teller: IcmpTeller;
  readonly counters: UdpCounters;
}

export class Outbound {
  readonly #options: OutboundOptions;
  readonly #memory: PacketMemory;
  routes: PeerRoutes;

  /** `memory` is where the packets lie. */
  constructor(memory: PacketMemory, routes: PeerRoutes, options: OutboundOptions) {
    this.#memory = memory;
    this.routes = routes;
    this.#options = options;
  }

  /**
   * Takes the packet of `size` bytes at `at`, its struct virtio_net_hdr included. False when the batch has to be sent first; then nothing was
   * done. A packet that fits no empty batch is dropped.
   */
  take(at: number, size: number): boolean {
    const { batch } = this.#options;
    const memory = this.#memory;
    const { bytes } = memory;
    const packet = { at: at + virtioSize, size: size - virtioSize };
    const fault = headerFault(memory, { ...packet, isChecked: false });
    if (fault !== undefined) return this.#drop(fault === 'not-ipv4' ? fault : 'malformed');
    const receiver = this.routes.receiverOf(word(bytes, packet.at + ip4.destination));
    if (receiver === undefined) {
      this.#options.teller.tell(netUnreachable, memory, packet);
      return this.#drop('no-peer');
    }
    if ((bytes[packet.at + ip4.ttl] ?? 0) <= 1) {
      this.#options.teller.tell(timeExceeded, memory, packet);
      return this.#drop('ttl');
    }
    const kind = kindOf(bytes, at);
    if (kind === tcpSegments) return this.#takeSegments(at, packet, receiver);
    if (kind !== whole) return this.#drop('malformed');
    if (batch.room(1) < 1) return batch.count === 0 ? this.#drop('malformed') : false;
    if (wantsChecksum(bytes, at) && !this.#completeChecksum(at, packet)) return this.#drop('malformed');
    decrementTtl(bytes, packet.at);
    batch.begin(receiver, packet.size);
    batch.vectors.add(memory.address + packet.at, packet.size);
    return true;
  }

  #takeSegments(
    at: number,
    packet: { readonly at: number; readonly size: number },
    receiver: number,
  ): boolean {
    const { batch, cutter } = this.#options;
    const segmentSize = segmentSizeOf(this.#memory.bytes, at);
    const whole = { memory: this.#memory, ...packet, segmentSize, receiver };
    const count = cutter.countOf(whole);
    if (count === undefined) return this.#drop('malformed');
    if (count > batch.room(2) || count > cutter.room) {
      return batch.count === 0 ? this.#drop('malformed') : false;
    }
    decrementTtl(this.#memory.bytes, packet.at);
    cutter.cut(whole, batch);
    return true;
  }

  /** The field holds the sum of the pseudo header. False when it is outside of the packet. */
  #completeChecksum(at: number, packet: { readonly at: number; readonly size: number }): boolean {
    const { bytes } = this.#memory;
    const start = checksumStartOf(bytes, at);
    const place = start + checksumOffsetOf(bytes, at);
    if (start < ip4.headerSize || place + 2 > packet.size) return false;
    const sum = addUp(this.#memory, packet.at + start, packet.size - start);
    const field = packet.at + place;
    putChecksum(bytes, field, sum);
    // To UDP, zero says that there is none (RFC 768).
    const isNone = bytes[field] === 0 && bytes[field + 1] === 0;
    if (isNone && bytes[packet.at + ip4.protocol] === protocols.udp) putChecksum(bytes, field, 0);
    return true;
  }

  #drop(reason: SendDrop): true {
    this.#options.counters.dropSent(reason);
    return true;
  }
}
