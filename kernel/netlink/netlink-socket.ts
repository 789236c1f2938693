// A netlink socket in any namespace, used synchronously: rtnetlink, nfnetlink and generic netlink run a request inside send(),
// so its replies are queued when send() returns. It knows messages, not what they mean. Past 300 lines: batches, queries, dumps and
// notifications share one descriptor, its buffer and its sequence numbers.
import { KernelError } from '../kernel-error.ts';
import * as libc from '../libc.ts';
import type { Netns } from '../netns.ts';
import { ByteWriter, DecodeError } from './bytes.ts';
import {
  type NetlinkReply,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  readReplies,
  writeRequest,
} from './message.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const ENOBUFS = 105;
const EPERM = 1;
const EINTR = 4;

/** Replies are at most this large: the kernel fills dumps up to 32 KiB. */
const receiveSize = 1 << 16;
/** One send: small enough that the replies to it (an error is about 1 KiB of the receive buffer) always fit. */
const largestBatch = 1 << 17;
const mostRequests = 1000;
/** A dump that changes underneath is started again this often; then it is read as inconsistent and reported (EINTR). */
const dumpAttempts = 10;

export interface NetlinkSocketOptions {
  readonly protocol: number;
  /** Where to open the socket; the process's own namespace if absent. The socket stays there. */
  readonly netns?: Netns | undefined;
  /** Multicast groups to join (RTNLGRP_*, NFNLGRP_*). */
  readonly groups?: readonly number[];
  /** Bytes of the kernel's receive buffer. */
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
}

/** What a dump yields for each data message. */
export interface DumpedMessage {
  readonly type: number;
  /** NLM_F_*: of a notification, how the object came (NLM_F_REPLACE, NLM_F_APPEND ...). */
  readonly flags: number;
  readonly body: Extract<NetlinkReply, { kind: 'data' }>['body'];
}

/** Requests that are sent together: `count` of them from `first` on, the first with the number `base`. */
interface Batch {
  readonly first: number;
  readonly count: number;
  readonly base: number;
}

export class NetlinkSocket implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(receiveSize);
  readonly #out = new ByteWriter(1 << 16);
  #sequence = 1;
  #open = true;

  /** Opens and configures a socket. Throws KernelError: EPROTONOSUPPORT when the kernel lacks the protocol, EPERM ... */
  constructor(options: NetlinkSocketOptions) {
    const make = () => libc.socket(libc.AF_NETLINK, libc.SOCK_RAW, options.protocol);
    this.#fd = options.netns === undefined ? make() : options.netns.run(make);
    try {
      this.#configure(options);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #configure(options: NetlinkSocketOptions): void {
    const address = Buffer.alloc(12);
    address.writeUInt16LE(libc.AF_NETLINK);
    libc.bind(this.#fd, address);
    libc.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    libc.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    if (options.protocol === NETLINK_ROUTE)
      libc.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    this.#resize({ force: SO_RCVBUFFORCE, plain: SO_RCVBUF, size: options.receiveBuffer ?? 4 << 20 });
    this.#resize({ force: SO_SNDBUFFORCE, plain: SO_SNDBUF, size: options.sendBuffer ?? 1 << 20 });
    for (const group of options.groups ?? []) this.join(group);
  }

  /** Joins a multicast group: notifications of it are queued from now on. */
  join(group: number): void {
    libc.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  /** Leaves a multicast group. What is queued stays. */
  leave(group: number): void {
    libc.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  /** Beyond the system's limit only CAP_NET_ADMIN may go; without it the limit has to do. */
  #resize(option: { readonly force: number; readonly plain: number; readonly size: number }): void {
    try {
      libc.setSocketOption(this.#fd, SOL_SOCKET, option.force, option.size);
    } catch {
      libc.setSocketOption(this.#fd, SOL_SOCKET, option.plain, option.size);
    }
  }

  /** For the poller. */
  get fd(): number {
    return this.#fd;
  }

  /** Size of the send buffer in bytes: one datagram must stay below it. */
  get sendBuffer(): number {
    return libc.getSocketOption(this.#fd, SOL_SOCKET, SO_SNDBUF);
  }

  /** Raises the send buffer for a large batch (nf_tables takes one transaction as one datagram). */
  growSendBuffer(size: number): void {
    this.#resize({ force: SO_SNDBUFFORCE, plain: SO_SNDBUF, size });
  }

  /**
   * Sends requests in batches and matches the answers by sequence number. One result a request, in order: undefined for
   * success. Only the last of a batch asks for an acknowledgement; the kernel answers every failure unasked.
   */
  execute(requests: readonly NetlinkRequest[]): readonly (KernelError | undefined)[] {
    const results = new Array<KernelError | undefined>(requests.length).fill(undefined);
    for (let first = 0; first < requests.length; ) {
      const batch = this.#encodeBatch(requests, first);
      libc.send(this.#fd, this.#out.bytes());
      this.#takeAnswers(requests, { ...batch, results });
      first += batch.count;
    }
    return results;
  }

  /**
   * The same with the send in a thread of the pool, for what the kernel is long about. The requests must go into one batch, and
   * until the promise settles nothing else may be done with this socket.
   */
  async executeInPool(requests: readonly NetlinkRequest[]): Promise<readonly (KernelError | undefined)[]> {
    const results = new Array<KernelError | undefined>(requests.length).fill(undefined);
    const batch = this.#encodeBatch(requests, 0);
    if (batch.count < requests.length)
      throw new RangeError(`Cannot send ${requests.length} requests at once: ${batch.count} fit`);
    await libc.sendInPool(this.#fd, this.#out.bytes());
    this.#takeAnswers(requests, { ...batch, results });
    return results;
  }

  /** Writes requests from `first` on, as many as one send takes; the last of them asks for an acknowledgement. */
  #encodeBatch(requests: readonly NetlinkRequest[], first: number): Batch {
    const base = this.#sequence;
    let count = 0;
    let lastStart = 0;
    this.#out.truncate();
    for (;;) {
      const request = requests[first + count];
      if (request === undefined || count === mostRequests || this.#out.length >= largestBatch) break;
      lastStart = this.#out.length;
      writeRequest(this.#out, request, { sequence: this.takeSequence(), flags: 0 });
      count += 1;
    }
    this.#out.patchU16(lastStart + 6, this.#out.bytes().readUInt16LE(lastStart + 6) | NLM_F_ACK);
    return { first, count, base };
  }

  #takeAnswers(
    requests: readonly NetlinkRequest[],
    batch: Batch & { readonly results: (KernelError | undefined)[] },
  ): void {
    const last = batch.count - 1;
    let lost = false;
    for (;;) {
      try {
        const replies = this.#receiveReplies(!lost);
        for (const reply of replies) {
          const index = (reply.sequence - batch.base) >>> 0;
          if (reply.kind !== 'error' || index > last) continue;
          const request = requests[batch.first + index];
          if (reply.errno !== 0 && request !== undefined)
            batch.results[batch.first + index] = refusal(request, reply);
          if (index === last && !lost) return;
        }
        if (lost && replies.length === 0) break;
      } catch (error) {
        if (!(error instanceof KernelError) || error.errno !== ENOBUFS) throw error;
        // The kernel says this first; the answers that fitted are still queued.
        lost = true;
      }
    }
    // Some answers are missing: what has none may have succeeded or not.
    for (let i = 0; i <= last; i++) {
      const request = requests[batch.first + i];
      if (request !== undefined) batch.results[batch.first + i] ??= refusal(request, { errno: ENOBUFS });
    }
  }

  /** Sends one request that the kernel answers with data (RTM_GETLINK by name ...). Throws KernelError. */
  query<T>(request: NetlinkRequest, decode: (message: DumpedMessage) => T | undefined): readonly T[] {
    const sequence = this.#send(request, NLM_F_ACK);
    const found: T[] = [];
    for (;;) {
      for (const reply of this.#receiveReplies(true)) {
        if (reply.sequence !== sequence) continue;
        if (reply.kind === 'error') {
          if (reply.errno !== 0) throw refusal(request, reply);
          return found;
        }
        if (reply.kind !== 'data') continue;
        const value = decode(reply);
        if (value !== undefined) found.push(value);
      }
    }
  }

  /**
   * Reads a whole table of the kernel. Started again when it changed meanwhile (NLM_F_DUMP_INTR), at most ten times, then
   * throws KernelError EINTR. What `decode` throws ends the dump and is thrown once the answers are drained.
   */
  dump<T>(request: NetlinkRequest, decode: (message: DumpedMessage) => T | undefined): readonly T[] {
    for (let attempt = 0; attempt < dumpAttempts; attempt++) {
      const found = this.#dumpOnce(request, decode);
      if (found !== undefined) return found;
    }
    throw refusal(request, { errno: EINTR, message: `it changed during each of ${dumpAttempts} dumps` });
  }

  #dumpOnce<T>(
    request: NetlinkRequest,
    decode: (message: DumpedMessage) => T | undefined,
  ): readonly T[] | undefined {
    const sequence = this.#send(request, NLM_F_DUMP);
    const found: T[] = [];
    let interrupted = false;
    let fault: unknown;
    for (;;) {
      for (const reply of this.#receiveReplies(true)) {
        if (reply.sequence !== sequence) continue;
        if (reply.kind !== 'error' && (reply.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (reply.kind !== 'data') {
          if (reply.errno !== 0) throw refusal(request, reply);
          if (fault !== undefined) throw fault;
          return interrupted ? undefined : found;
        }
        if (fault !== undefined) continue;
        try {
          const value = decode(reply);
          if (value !== undefined) found.push(value);
        } catch (error) {
          fault = error;
        }
      }
    }
  }

  /**
   * Reads a table of the kernel datagram by datagram: each step is one system call, between which the caller may do other things,
   * but nothing with this socket. Throws KernelError EINTR as soon as the table changed meanwhile. A dump that is not read to its
   * end leaves the socket good for nothing but closing.
   */
  *dumpSteps(request: NetlinkRequest): Generator<readonly DumpedMessage[], void, void> {
    const sequence = this.#send(request, NLM_F_DUMP);
    for (;;) {
      const messages: DumpedMessage[] = [];
      for (const reply of this.#receiveReplies(true)) {
        if (reply.sequence !== sequence) continue;
        if (reply.kind !== 'data' && reply.errno !== 0) throw refusal(request, reply);
        if (reply.kind !== 'error' && (reply.flags & NLM_F_DUMP_INTR) !== 0)
          throw refusal(request, { errno: EINTR, message: 'it changed while it was read' });
        if (reply.kind !== 'data') {
          if (messages.length > 0) yield messages;
          return;
        }
        messages.push(reply);
      }
      yield messages;
    }
  }

  /** Sends bytes of the caller's own making (an nf_tables batch) and returns the answers that are queued afterwards. */
  exchange(datagram: Uint8Array): readonly NetlinkReply[] {
    libc.send(this.#fd, datagram);
    const replies: NetlinkReply[] = [];
    for (;;) {
      const before = replies.length;
      replies.push(...this.#receiveReplies(false));
      if (replies.length === before) return replies;
    }
  }

  /** Numbers for requests that the caller writes itself. */
  takeSequence(count = 1): number {
    const first = this.#sequence;
    for (let i = 0; i < count; i++) this.#sequence = nextSequence(this.#sequence);
    return first;
  }

  /**
   * Notifications that are queued, without waiting. `overrun` tells that some were lost (ENOBUFS): what they would have
   * said must be read by a fresh dump; the socket stays usable.
   */
  notifications(): { readonly messages: readonly DumpedMessage[]; readonly overrun: boolean } {
    const messages: DumpedMessage[] = [];
    let overrun = false;
    for (;;) {
      try {
        const before = messages.length;
        const replies = this.#receiveReplies(false);
        for (const reply of replies) if (reply.kind === 'data') messages.push(reply);
        if (messages.length === before && replies.length === 0) return { messages, overrun };
      } catch (error) {
        if (error instanceof DecodeError || (error instanceof KernelError && error.errno === ENOBUFS))
          overrun = true;
        else throw error;
      }
    }
  }

  #send(request: NetlinkRequest, flags: number): number {
    const sequence = this.takeSequence();
    this.#out.truncate();
    writeRequest(this.#out, request, { sequence, flags });
    libc.send(this.#fd, this.#out.bytes());
    return sequence;
  }

  /** The messages of one datagram; empty when none is queued. They live in memory of their own. */
  #receiveReplies(wait: boolean): readonly NetlinkReply[] {
    const size = libc.receive(this.#fd, this.#buffer, wait);
    if (size === undefined) return [];
    if (size > this.#buffer.length) throw new DecodeError(`Cannot read a netlink datagram of ${size} bytes`);
    return [...readReplies(Buffer.from(this.#buffer.subarray(0, size)))];
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc.close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function nextSequence(sequence: number): number {
  return (sequence + 1) >>> 0;
}

function refusal(
  request: NetlinkRequest,
  answer: {
    readonly errno: number;
    readonly message?: string | undefined;
    readonly offset?: number | undefined;
  },
): KernelError {
  const { operation, object } = request;
  return new KernelError({
    operation,
    object,
    errno: answer.errno,
    // The kernel has no words of its own for it; no netlink request asks for another capability.
    kernelMessage:
      answer.message ?? (answer.errno === EPERM ? 'the capability CAP_NET_ADMIN is needed' : undefined),
    offset: answer.offset,
  });
}
