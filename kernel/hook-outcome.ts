// What rules at one hook made of a packet. What follows from it on the packet's way is packet-way.ts.
import type { Packet } from './nft/packet.ts';

/** What a hook did; nft's Evaluation is one. */
export interface HookOutcome<Entry> {
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly packet: Packet;
  readonly trace: readonly Entry[];
}
