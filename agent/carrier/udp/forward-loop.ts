// The loop of the thread that carries packets between the TUN device and the peers. It blocks its thread: whoever wants something of it
// leaves a message and wakes it.
import { constants } from 'node:os';
import { type PacketMemory, packetMemory } from '../../../kernel/tun/packet-memory.ts';
import { ReceiveBatch } from '../../../kernel/tun/receive-batch.ts';
import { SendBatch } from '../../../kernel/tun/send-batch.ts';
import { noDescriptors, TunnelEnds } from '../../../kernel/tun/tunnel-ends.ts';
import type { Vectors } from '../../../kernel/tun/vectors.ts';
import { SegmentCutter } from './cut-segments.ts';
import { IcmpTeller } from './icmp-teller.ts';
import { Inbound } from './inbound.ts';
import { SegmentJoiner } from './join-segments.ts';
import { Outbound } from './outbound.ts';
import { PeerRoutes } from './peer-routes.ts';
import type { UdpCounters } from './udp-counters.ts';
import { virtioSize } from './virtio-header.ts';
import type { TunnelSetup, WorkerCommand, WorkerNews } from './worker-messages.ts';

const { EAGAIN, EBADF, EIO, ENOBUFS, ENODEV } = constants.errno;
/** linux/errno.h: the device of the descriptor is gone. */
const EBADFD = 77;

/** Milliseconds: it bounds how long a process that ends without a word waits for its threads. */
const longestWait = 1000;
/** Rounds without a look whether somebody called. */
const mostRounds = 32;
/** Packets, and about how many bytes, between two looks at the other direction: what a processor's cache holds. */
const packetsAtOnce = 64;
const bytesAtOnce = 192 * 1024;
const largestPacket = 65_536 + virtioSize;
const messagesAtOnce = 32;
/** Datagrams of one batch, at least as many as one packet of TCP may become. */
const datagrams = 2048;

export interface ForwardLoopOptions {
  /** An eventfd. */
  readonly wake: number;
  readonly counters: UdpCounters;
  /** The next command that was left; undefined: there is none. */
  readonly command: () => WorkerCommand | undefined;
  readonly tell: (news: WorkerNews) => void;
}

export class ForwardLoop {
  readonly #options: ForwardLoopOptions;
  readonly #ends: TunnelEnds;
  readonly #batch: SendBatch;
  readonly #cutter: SegmentCutter;
  readonly #received: ReceiveBatch;
  readonly #joiner: SegmentJoiner;
  readonly #teller: IcmpTeller;
  readonly #read: PacketMemory;
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  /** The first message of the batch that is not sent. */
  #unsent = 0;
  /** A packet that was read and waits for room in the batch. */
  #waiting: { readonly at: number; readonly size: number } | undefined;
  #hasTunnel = false;

  constructor(options: ForwardLoopOptions) {
    this.#options = options;
    const { counters } = options;
    this.#ends = new TunnelEnds(options.wake);
    this.#batch = new SendBatch({ messages: datagrams, vectors: 2 * datagrams, port: 0, splits: false });
    this.#cutter = new SegmentCutter(datagrams, packetMemory);
    this.#received = new ReceiveBatch(messagesAtOnce);
    this.#read = packetMemory((bytesAtOnce + 2 * largestPacket) & ~3);
    this.#teller = new IcmpTeller({
      counters,
      send: ({ address }, size, receiver) => this.#ends.sendRaw({ address, size }, receiver),
      now: () => performance.now(),
      allocate: packetMemory,
    });
    this.#joiner = new SegmentJoiner({
      memory: this.#received.data,
      write: (vectors) => this.#write(vectors),
      allocate: packetMemory,
    });
    const routes = new PeerRoutes(new Int32Array(0));
    const { teller, batch, cutter, joiner } = this.#parts();
    this.#outbound = new Outbound(this.#read, routes, { batch, cutter, teller, counters });
    const nowhere = { network: -1, mask: -1 };
    this.#inbound = new Inbound(this.#received.data, {
      joiner,
      teller,
      counters,
      routes,
      place: { network: nowhere, subnet: nowhere, ownAddresses: [], port: 0 },
    });
  }

  #parts() {
    return { teller: this.#teller, batch: this.#batch, cutter: this.#cutter, joiner: this.#joiner };
  }

  /** Until it is told to stop. */
  run(): void {
    for (;;) {
      const isFull = this.#isFull();
      const hasWork = this.#waiting !== undefined && !isFull;
      const ready = this.#ends.wait(hasWork ? 0 : longestWait, isFull);
      if (ready.woken && this.#obey()) return;
      if (!ready.tun && !ready.udp && !hasWork) continue;
      for (let round = 0; round < mostRounds && this.#hasTunnel; round++) {
        const out = this.#pumpOut();
        const into = this.#pumpIn();
        if (!out && !into) break;
      }
    }
  }

  /** True: it is to stop. */
  #obey(): boolean {
    for (let command = this.#options.command(); command !== undefined; command = this.#options.command()) {
      switch (command.kind) {
        case 'stop':
          return true;
        case 'tunnel':
          this.#use(command.tunnel);
          break;
        case 'peers':
          this.#follow(new PeerRoutes(command.peers));
          break;
        default:
          command satisfies never;
      }
    }
    return false;
  }

  #follow(routes: PeerRoutes): void {
    this.#outbound.routes = routes;
    this.#inbound.routes = routes;
  }

  #use(tunnel: TunnelSetup | undefined): void {
    this.#batch.clear();
    this.#cutter.clear();
    this.#unsent = 0;
    this.#waiting = undefined;
    this.#hasTunnel = tunnel !== undefined;
    this.#ends.use(tunnel ?? noDescriptors);
    if (tunnel !== undefined) {
      this.#batch.port = tunnel.place.port;
      this.#batch.splits = tunnel.splits;
      this.#teller.source = tunnel.source;
      this.#inbound.place = tunnel.place;
    }
    // From now on the descriptors before may be closed.
    this.#options.tell({ kind: 'in-use', number: tunnel?.number ?? 0 });
  }

  #isFull(): boolean {
    return this.#unsent < this.#batch.count;
  }

  /** Reads packets until there are none, or enough, and sends them. False: there was nothing to do. */
  #pumpOut(): boolean {
    if (this.#isFull()) return this.#send();
    const { bytes } = this.#read;
    let at = 0;
    let count = 0;
    if (this.#waiting !== undefined) {
      // It begins the batch that it did not fit.
      const { at: from, size } = this.#waiting;
      this.#waiting = undefined;
      bytes.copyWithin(start(0), from, from + size);
      this.#outbound.take(start(0), size);
      at = start(0) + size;
      count = 1;
    }
    while (count < packetsAtOnce && at < bytesAtOnce) {
      const from = start(at);
      const size = this.#ends.read(this.#read.address + from, largestPacket);
      if (size <= 0) {
        this.#noteDevice(size);
        break;
      }
      count++;
      at = from + size;
      if (this.#outbound.take(from, size)) continue;
      this.#waiting = { at: from, size };
      break;
    }
    if (this.#batch.count > 0) this.#send();
    return count > 0;
  }

  /** Sends what the socket takes. True when something of the batch went its way. */
  #send(): boolean {
    const batch = this.#batch;
    const before = this.#unsent;
    if (before === 0) batch.finish();
    while (this.#unsent < batch.count) {
      const sent = batch.send(this.#ends.udp, this.#unsent);
      if (sent === -EAGAIN) return this.#unsent > before;
      if (sent > 0) {
        this.#options.counters.add('sentBatches', 1);
        this.#countSent(sent);
        this.#unsent += sent;
      } else {
        this.#handleRefusal(-sent);
      }
    }
    batch.clear();
    this.#cutter.clear();
    this.#unsent = 0;
    return true;
  }

  #countSent(messages: number): void {
    const { counters } = this.#options;
    let packets = 0;
    let bytes = 0;
    for (let i = this.#unsent; i < this.#unsent + messages; i++) {
      packets += this.#batch.segmentsOf(i);
      bytes += this.#batch.bytesOf(i);
    }
    counters.add('sentPackets', packets);
    counters.add('sentBytes', bytes);
    counters.add('sentMessages', messages);
  }

  /** Of the first unsent message. */
  #handleRefusal(errno: number): void {
    const batch = this.#batch;
    if (batch.segmentsOf(this.#unsent) > 1 && errno !== ENOBUFS) {
      // EIO: the interface computes no checksums. EINVAL, EMSGSIZE: the way to this peer is narrower than the packets are.
      if (errno === EIO) batch.splits = false;
      batch.takeApart(this.#unsent);
      return;
    }
    this.#options.counters.dropSent('refused', batch.segmentsOf(this.#unsent));
    this.#unsent++;
  }

  /** Takes the datagrams that came. False: there were none. */
  #pumpIn(): boolean {
    const received = this.#received;
    const messages = received.receive(this.#ends.udp);
    if (messages <= 0) return false;
    const { counters } = this.#options;
    let packets = 0;
    let bytes = 0;
    for (let i = 0; i < messages; i++) {
      const size = received.lengthOf(i);
      bytes += size;
      packets += this.#inbound.take({
        at: received.offsetOf(i),
        size,
        segmentSize: received.segmentOf(i),
        sender: received.senderOf(i) | 0,
        port: received.senderPortOf(i),
      });
    }
    this.#joiner.flush();
    counters.add('receivedPackets', packets);
    counters.add('receivedBytes', bytes);
    counters.add('receivedMessages', messages);
    counters.add('receivedBatches', 1);
    return true;
  }

  #write(vectors: Vectors): void {
    const { counters } = this.#options;
    const result = this.#ends.write(vectors);
    if (result >= 0) {
      counters.add('receivedWrites', 1);
      return;
    }
    counters.dropReceived('refused');
    this.#noteDevice(result);
  }

  #noteDevice(result: number): void {
    const isGone = result === -EBADFD || result === -EBADF || result === -ENODEV;
    if (!isGone || !this.#hasTunnel) return;
    this.#hasTunnel = false;
    this.#ends.use(noDescriptors);
    this.#options.tell({ kind: 'device-gone' });
  }

  free(): void {
    for (const part of [
      this.#ends,
      this.#batch,
      this.#cutter,
      this.#received,
      this.#joiner,
      this.#teller,
      this.#read,
    ]) {
      part.free();
    }
  }
}

/** Where a packet is read to, at `at` or behind: such that it is, behind its struct virtio_net_hdr, at a multiple of 4. */
function start(at: number): number {
  return ((at + 63) & ~63) + 2;
}
