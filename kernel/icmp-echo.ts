// Asks one address for an ICMP echo, from any namespace. IPv4. One question, one answer: statistics are the caller's.
import { randomBytes } from 'node:crypto';
import type { IpAddress } from '../net/address.ts';
import { KernelError } from './kernel-error.ts';
import * as libc from './libc.ts';
import type { Netns } from './netns.ts';
import type { Poller } from './poller.ts';
import { socketAddress } from './socket-address.ts';

const AF_INET = 2;
const IPPROTO_IP = 0;
const IPPROTO_ICMP = 1;
/** linux/in.h */
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const IP_PMTUDISC_PROBE = 3;

const ECHO_REPLY = 0;
const DESTINATION_UNREACHABLE = 3;
const ECHO = 8;
const ipHeader = 20;
const icmpHeader = 8;
/** IP and ICMP header: the least length of a packet here. */
export const smallestEcho = ipHeader + icmpHeader;

const unreachableCodes: ReadonlyMap<number, string> = new Map([
  [0, 'network unreachable'],
  [1, 'host unreachable'],
  [3, 'port unreachable'],
  [4, 'fragmentation needed'],
  [9, 'network prohibited'],
  [10, 'host prohibited'],
  [13, 'administratively prohibited'],
]);

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
  /** Bytes of the whole IP packet; 84 (as ping's) if absent. */
  readonly size?: number;
  /**
   * May it be split on its way? `refuse` sets "don't fragment" and lets the kernel refuse what it knows to be too large;
   * `probe` sets it and sends whatever its own link takes.
   */
  readonly fragment?: 'allow' | 'refuse' | 'probe';
}

/** Sends one echo request and waits for its answer. Throws KernelError when no socket can be had (EPERM). */
export async function icmpEcho(target: IpAddress, options: EchoOptions): Promise<EchoAnswer> {
  const open = (): number => libc.socket(AF_INET, libc.SOCK_RAW, IPPROTO_ICMP);
  const fd = options.netns === undefined ? open() : options.netns.run(open);
  try {
    const { fragment = 'allow' } = options;
    if (fragment !== 'allow') {
      const mode = fragment === 'refuse' ? IP_PMTUDISC_DO : IP_PMTUDISC_PROBE;
      libc.setSocketOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, mode);
    }
    const request = echoRequest(options.size ?? 84);
    const sent = performance.now();
    try {
      libc.connect(fd, echoAddress(target));
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

function awaitAnswer(
  fd: number,
  wait: EchoOptions & { readonly request: Buffer; readonly sent: number; readonly target: IpAddress },
): Promise<EchoAnswer> {
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

/** A raw socket gets every ICMP packet of its peer: only what answers our request counts. */
export function readAnswer(
  packet: Buffer,
  asked: { readonly request: Buffer; readonly sent: number },
): EchoAnswer | undefined {
  const start = ((packet[0] ?? 0) & 15) * 4;
  if (packet.length < start + icmpHeader || start < ipHeader) return undefined;
  const from = packet.subarray(12, 16).join('.');
  const icmp = packet.subarray(start);
  const type = icmp[0];
  if (type === ECHO_REPLY && icmp.subarray(4).equals(asked.request.subarray(4))) {
    return { kind: 'reply', milliseconds: performance.now() - asked.sent, from };
  }
  if (type !== DESTINATION_UNREACHABLE) return undefined;
  const quoted = icmp.subarray(icmpHeader);
  const quotedStart = ((quoted[0] ?? 0) & 15) * 4;
  const ours = quoted.subarray(quotedStart + 4, quotedStart + icmpHeader);
  if (ours.length < 4 || !ours.equals(asked.request.subarray(4, 8))) return undefined;
  const code = icmp[1] ?? 0;
  return { kind: 'unreachable', from, reason: unreachableCodes.get(code) ?? `unreachable, code ${code}` };
}

/** The ICMP part of a packet of `size` bytes. Identifier, sequence and payload are random: no two requests are alike. */
export function echoRequest(size: number): Buffer {
  if (size < smallestEcho || size > 0xffff) {
    throw new RangeError(`Cannot send an echo request of ${size} bytes: want ${smallestEcho} to 65535`);
  }
  const icmp = randomBytes(size - ipHeader);
  icmp.writeUInt8(ECHO, 0);
  icmp.writeUInt8(0, 1);
  icmp.writeUInt16BE(0, 2);
  icmp.writeUInt16BE(internetChecksum(icmp), 2);
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

/** The port is of no use to ICMP. */
function echoAddress(address: IpAddress): Buffer {
  if (address.family !== 4) throw new TypeError(`Cannot send ICMP to "${address}": only IPv4 is supported`);
  return socketAddress(address.bytes, 0);
}
