// What the agent and the thread of the udp backend say to each other.
import type { TunnelDescriptors } from '../../../kernel/tun/tunnel-ends.ts';
import type { InboundPlace } from './inbound.ts';
import type { PeerWords } from './peer-routes.ts';

/** What the thread works with. The descriptors stay the agent's, to be closed when the thread uses others. */
export interface TunnelSetup extends TunnelDescriptors {
  /** 1 for the first, 2 for the next ... */
  readonly number: number;
  readonly splits: boolean;
  readonly place: InboundPlace;
  /** The tunnel's own address, four bytes: ICMP messages come from it. */
  readonly source: Uint8Array;
}

export type WorkerCommand =
  | { readonly kind: 'tunnel'; readonly tunnel: TunnelSetup | undefined }
  | { readonly kind: 'peers'; readonly peers: PeerWords }
  | { readonly kind: 'stop' };

export type WorkerNews =
  /** It uses the setup of that number, 0 for none, and nothing of those before. */
  | { readonly kind: 'in-use'; readonly number: number }
  /** Somebody deleted the device. */
  | { readonly kind: 'device-gone' };

/** What a thread is started with. */
export interface WorkerStart {
  /** An eventfd by which it is told that there is a command. */
  readonly wake: number;
  readonly counters: SharedArrayBuffer;
}
