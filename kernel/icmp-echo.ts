// Asks one address for an ICMP or ICMPv6 echo, from any namespace. One question, one answer: statistics are the caller's.
import { randomBytes } from 'node:crypto';
import type { Family, IpAddress } from '../net/address.ts';
import { KernelError } from './kernel-error.ts';
import * as libc from './libc.ts';
import type { Netns } from './netns.ts';
import type { Poller } from './poller.ts';
import { socketAddress } from './socket-address.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_IP = 0;
const IPPROTO_ICMP = 1;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
/** linux/in.h */
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const IP_PMTUDISC_PROBE = 3;
/** linux/in6.h; its values are those of IPv4. */
const IPV6_MTU_DISCOVER = 23;

const icmpHeader = 8;

/** What differs between RFC 792 and RFC 4443, and between raw sockets of the two. */
interface Dialect {
  readonly domain: number;
  readonly protocol: number;
  readonly mtuDiscover: { readonly level: number; readonly option: number };
  /** Bytes of an IP header without options. */
  readonly ipHeader: number;
  readonly echo: number;
  readonly echoReply: number;
  readonly unreachable: number;
  readonly reasons: ReadonlyMap<number, string>;
  /** Where ICMP begins in what a socket receives: IPv6 sockets leave the header out. Undefined: it is no packet. */
  readonly icmpAt: (packet: Buffer) => number | undefined;
  /** Where ICMP begins in a packet that an error quotes. */
  readonly quotedIcmpAt: (quoted: Buffer) => number;
}

const ip4HeaderLength = (packet: Buffer): number => ((packet[0] ?? 0) & 15) * 4;

const dialects: Readonly<Record<Family, Dialect>> = {
  4: {
    domain: AF_INET,
    protocol: IPPROTO_ICMP,
    mtuDiscover: { level: IPPROTO_IP, option: IP_MTU_DISCOVER },
    ipHeader: 20,
    echo: 8,
    echoReply: 0,
    unreachable: 3,
    reasons: new Map([
      [0, 'network unreachable'],
      [1, 'host unreachable'],
      [3, 'port unreachable'],
      [4, 'fragmentation needed'],
      [9, 'network prohibited'],
      [10, 'host prohibited'],
      [13, 'administratively prohibited'],
    ]),
    icmpAt(packet) {
      const start = ip4HeaderLength(packet);
      return start < 20 ? undefined : start;
    },
    quotedIcmpAt: ip4HeaderLength,
  },
  6: {
    domain: AF_INET6,
    protocol: IPPROTO_ICMPV6,
    mtuDiscover: { level: IPPROTO_IPV6, option: IPV6_MTU_DISCOVER },
    ipHeader: 40,
    echo: 128,
    echoReply: 129,
    unreachable: 1,
    reasons: new Map([
      [0, 'no route'],
      [1, 'administratively prohibited'],
      [2, 'beyond the scope of the source'],
      [3, 'address unreachable'],
      [4, 'port unreachable'],
      [5, 'source refused by policy'],
      [6, 'route rejected'],
    ]),
    icmpAt: () => 0,
    // Our own requests have no extension headers.
    quotedIcmpAt: () => 40,
  },
};

/** What ping sends of itself: 56 bytes of payload and the header. */
const usualIcmp = 64;

export type EchoAnswer =
  | { readonly kind: 'reply'; readonly milliseconds: number; readonly from: string }
  /** The kernel refused to send: "EMSGSIZE" when the packet is larger than the route's MTU, "ENETUNREACH" without a route. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** A router or the host itself said no. */
  | { readonly kind: 'unreachable'; readonly from: string; readonly reason: string }
  | { readonly kind: 'silence' };

export interface EchoOptions {
  readonly poller: Poller;
  readonly netns?: Netns | undefined;
  /** Milliseconds until the answer counts as silence. */
  readonly timeout: number;
  /** Bytes of the whole IP packet; as ping's if absent (84, of IPv6 104). */
  readonly size?: number;
  /**
   * May it be split on its way? `refuse` sets "don't fragment" and lets the kernel refuse what it knows to be too large;
   * `probe` sets it and sends whatever its own link takes.
   */
  readonly fragment?: 'allow' | 'refuse' | 'probe';
}

/** Sends one echo request and waits for its answer. Throws KernelError when no socket can be had (EPERM). */
export async function icmpEcho(target: IpAddress, options: EchoOptions): Promise<EchoAnswer> {
  const { domain, protocol, mtuDiscover, ipHeader } = dialects[target.family];
  const open = (): number => libc.socket(domain, libc.SOCK_RAW, protocol);
  const fd = options.netns === undefined ? open() : options.netns.run(open);
  try {
    const { fragment = 'allow' } = options;
    if (fragment !== 'allow') {
      const mode = fragment === 'refuse' ? IP_PMTUDISC_DO : IP_PMTUDISC_PROBE;
      libc.setSocketOption(fd, mtuDiscover.level, mtuDiscover.option, mode);
    }
    const request = echoRequest(options.size ?? ipHeader + usualIcmp, target.family);
    const sent = performance.now();
    try {
      // The port is of no use to ICMP.
      libc.connect(fd, socketAddress(target.bytes, 0));
      libc.send(fd, request);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return { kind: 'refused', code: error.code, message: error.message };
    }
    return await awaitAnswer(fd, { request, sent, target, ...options });
  } finally {
    libc.close(fd);
  }
}

function awaitAnswer(fd: number, wait: EchoOptions & Asked): Promise<EchoAnswer> {
  const buffer = Buffer.alloc(1 << 16);
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      stop();
      settle();
    };
    const timer = setTimeout(() => finish(() => resolve({ kind: 'silence' })), wait.timeout);
    const stop = wait.poller.watch(fd, () => {
      try {
        for (;;) {
          const size = libc.receive(fd, buffer, false);
          if (size === undefined) return;
          const answer = readAnswer(buffer.subarray(0, size), wait);
          if (answer === undefined) continue;
          finish(() => resolve(answer));
          return;
        }
      } catch (error) {
        if (!(error instanceof KernelError)) return finish(() => reject(error));
        // A pending error of the socket is an answer too: "host unreachable" of our own stack.
        const { code, message } = error;
        finish(() => resolve({ kind: 'refused', code, message }));
      }
    });
  });
}

export interface Asked {
  readonly request: Buffer;
  /** Milliseconds, of performance.now(). */
  readonly sent: number;
  readonly target: IpAddress;
}

/** A raw socket that is connected gets every ICMP packet of its peer, and none of others: only what answers our request counts. */
export function readAnswer(packet: Buffer, { request, sent, target }: Asked): EchoAnswer | undefined {
  const { icmpAt, quotedIcmpAt, echoReply, unreachable, reasons } = dialects[target.family];
  const start = icmpAt(packet);
  if (start === undefined || packet.length < start + icmpHeader) return undefined;
  const from = target.family === 4 ? packet.subarray(12, 16).join('.') : target.toString();
  const icmp = packet.subarray(start);
  const type = icmp[0];
  if (type === echoReply && icmp.subarray(4).equals(request.subarray(4))) {
    return { kind: 'reply', milliseconds: performance.now() - sent, from };
  }
  if (type !== unreachable) return undefined;
  const quoted = icmp.subarray(icmpHeader);
  const quotedStart = quotedIcmpAt(quoted);
  const ours = quoted.subarray(quotedStart + 4, quotedStart + icmpHeader);
  if (ours.length < 4 || !ours.equals(request.subarray(4, 8))) return undefined;
  const code = icmp[1] ?? 0;
  return { kind: 'unreachable', from, reason: reasons.get(code) ?? `unreachable, code ${code}` };
}

/** The ICMP part of a packet of `size` bytes. Identifier, sequence and payload are random: no two requests are alike. */
export function echoRequest(size: number, family: Family): Buffer {
  const { ipHeader, echo } = dialects[family];
  const smallest = ipHeader + icmpHeader;
  if (size < smallest || size > 0xffff) {
    throw new RangeError(`Cannot send an echo request of ${size} bytes: want ${smallest} to 65535`);
  }
  const icmp = randomBytes(size - ipHeader);
  icmp.writeUInt8(echo, 0);
  icmp.writeUInt8(0, 1);
  icmp.writeUInt16BE(0, 2);
  // Of IPv6 it covers addresses too, which the kernel chooses: it computes it (RFC 3542, section 3.1).
  if (family === 4) icmp.writeUInt16BE(internetChecksum(icmp), 2);
  return icmp;
}

/** RFC 1071. */
export function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  if (bytes.length % 2 === 1) sum += (bytes[bytes.length - 1] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
