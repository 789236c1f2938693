// From the peers to the device: decides which datagrams are packets that their sender may send and that are for this node, and hands those
// on. Whoever can reach the port can send anything.
import type { PacketMemory } from '../../../kernel/tun/packet-memory.ts';
import { isOneHost, timeExceeded } from './icmp-error.ts';
import type { IcmpTeller } from './icmp-teller.ts';
import { decrementTtl, headerFault, ip4, word } from './ip4-header.ts';
import type { SegmentJoiner } from './join-segments.ts';
import { contains, type PeerRoutes, type WordPrefix } from './peer-routes.ts';
import type { ReceiveDrop, UdpCounters } from './udp-counters.ts';

export interface InboundPlace {
  /** The network of all pods. */
  readonly network: WordPrefix;
  /** This node's. */
  readonly subnet: WordPrefix;
  /** Addresses of this node between nodes, as words: no packet of others comes from them. */
  readonly ownAddresses: readonly number[];
  /** Peers send from the port that they listen on. */
  readonly port: number;
}

export interface InboundOptions {
  readonly joiner: SegmentJoiner;
  readonly teller: IcmpTeller;
  readonly counters: UdpCounters;
}

/** What one system call received as one: datagrams of one sender. */
export interface ReceivedMessage {
  readonly at: number;
  readonly size: number;
  /** The size of all of its datagrams but the last; 0 when it is one. */
  readonly segmentSize: number;
  /** The sender's address, a word, and port. */
  readonly sender: number;
  readonly port: number;
}

export class Inbound {
  readonly #options: InboundOptions;
  readonly #memory: PacketMemory;
  place: InboundPlace;
  routes: PeerRoutes;

  /** `memory` is where the datagrams lie. */
  constructor(
    memory: PacketMemory,
    options: InboundOptions & { readonly place: InboundPlace; readonly routes: PeerRoutes },
  ) {
    this.#memory = memory;
    this.#options = options;
    this.place = options.place;
    this.routes = options.routes;
  }

  /** How many datagrams it was. */
  take({ at, size, segmentSize, sender, port }: ReceivedMessage): number {
    const each = segmentSize > 0 ? segmentSize : size;
    // An empty datagram is one, too.
    const count = Math.max(1, Math.ceil(size / Math.max(1, each)));
    const subnet = port === this.place.port ? this.routes.subnetOf(sender) : undefined;
    if (subnet === undefined) {
      this.#options.counters.dropReceived('unknown-sender', count);
      return count;
    }
    for (let i = 0, from = at; i < count; i++, from += each) {
      const packet = { at: from, size: Math.min(each, at + size - from) };
      const reason = this.#takePacket(packet, subnet, sender);
      if (reason !== undefined) this.#options.counters.dropReceived(reason);
    }
    return count;
  }

  /** Why not. */
  #takePacket(
    packet: { readonly at: number; readonly size: number },
    subnet: WordPrefix,
    sender: number,
  ): ReceiveDrop | undefined {
    const memory = this.#memory;
    const { bytes } = memory;
    const { at, size } = packet;
    const fault = headerFault(memory, { at, size, isChecked: true });
    if (fault !== undefined) return fault;
    if (!this.#maySend(at, subnet, sender)) return 'foreign-source';
    if (!contains(this.place.subnet, word(bytes, at + ip4.destination))) return 'foreign-destination';
    if ((bytes[at + ip4.ttl] ?? 0) <= 1) {
      this.#options.teller.tell(timeExceeded, memory, packet);
      return 'ttl';
    }
    decrementTtl(bytes, at);
    this.#options.joiner.take(at, size);
    return undefined;
  }

  /**
   * A pod's address must be of the sender's subnet. What is outside of the pods' network no lease vouches for: the sender is its router, as
   * with any other backend, and the kernel's reverse path filter has the last word.
   */
  #maySend(at: number, subnet: WordPrefix, sender: number): boolean {
    const { bytes } = this.#memory;
    const source = word(bytes, at + ip4.source);
    if (contains(subnet, source) || source === sender) return true;
    if (contains(this.place.network, source)) return false;
    return isOneHost(bytes, at + ip4.source) && !this.place.ownAddresses.includes(source);
  }
}
