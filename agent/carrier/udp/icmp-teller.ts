// Tells senders, by ICMP, what became of their packets: from the tunnel's own address, not too often.
import type { PacketMemory } from '../../../kernel/tun/packet-memory.ts';
import { type IcmpKind, longestIcmp, mayTell, writeIcmp } from './icmp-error.ts';
import { ip4, word } from './ip4-header.ts';
import { TokenBucket } from './token-bucket.ts';
import type { UdpCounters } from './udp-counters.ts';

/** As many as Linux sends (net.ipv4.icmp_msgs_per_sec, icmp_msgs_burst). */
const rate = { perSecond: 1000, burst: 50 } as const;

export interface IcmpTellerOptions {
  readonly counters: UdpCounters;
  /** Sends a packet that lies at the start of the memory to an address, as a word. */
  readonly send: (message: PacketMemory, size: number, receiver: number) => void;
  readonly now: () => number;
  readonly allocate: (size: number) => PacketMemory;
}

export class IcmpTeller {
  readonly #options: IcmpTellerOptions;
  readonly #message: PacketMemory;
  readonly #bucket: TokenBucket;
  /** The tunnel's own address, four bytes. */
  source: Uint8Array = new Uint8Array(4);

  constructor(options: IcmpTellerOptions) {
    this.#options = options;
    // A multiple of 4.
    this.#message = options.allocate((longestIcmp + 3) & ~3);
    this.#bucket = new TokenBucket({ ...rate, now: options.now });
  }

  /** The packet has no header fault. */
  tell(kind: IcmpKind, memory: PacketMemory, packet: { readonly at: number; readonly size: number }): void {
    if (!mayTell(memory, packet) || !this.#bucket.take()) return;
    const { bytes, words } = memory;
    const size = writeIcmp(this.#message, {
      kind,
      source: this.source,
      packet: { bytes, words, ...packet },
    });
    this.#options.counters.add('icmp', 1);
    this.#options.send(this.#message, size, word(bytes, packet.at + ip4.source));
  }

  free(): void {
    this.#message.free();
  }
}
