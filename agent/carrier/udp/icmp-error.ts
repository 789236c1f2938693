// ICMP messages about packets that the tunnel cannot carry (RFC 792), and the cases in which there must be none (RFC 1122, section 3.2.2).
// Not how they are sent.
import { addUp, type Bytes, putChecksum } from './checksum.ts';
import { headerLength, ip4, protocols, putHeaderChecksum, putShort, short } from './ip4-header.ts';

export interface IcmpKind {
  readonly type: number;
  readonly code: number;
}

/** Nobody has the network that the packet is for. */
export const netUnreachable: IcmpKind = { type: 3, code: 0 };
/** Its time to live ended on the way. */
export const timeExceeded: IcmpKind = { type: 11, code: 0 };

const icmpHeader = 8;
/** Of what follows the packet's header: ports, or the start of an ICMP message. */
const quoted = 8;
/** Longer than any way through a cluster; flannel's 8 may not reach whoever is behind a router. */
const ttl = 64;
/** Internetwork control (RFC 1812, section 4.3.2.5). */
const precedence = 0xc0;

/** The longest message: a header, ICMP's, and a header with all options of the packet in question. */
export const longestIcmp = ip4.headerSize + icmpHeader + 60 + quoted;

/** Destination unreachable, source quench, redirect, time exceeded, parameter problem. */
const errors: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);

/** Whether somebody may be told about the packet: it has no header fault. */
export function mayTell({ bytes }: Bytes, packet: { readonly at: number; readonly size: number }): boolean {
  const { at, size } = packet;
  // Only of the first fragment is it known what it is.
  if ((short(bytes, at + ip4.fragment) & 0x1fff) !== 0) return false;
  if (!isOneHost(bytes, at + ip4.source)) return false;
  if ((bytes[at + ip4.destination] ?? 0) >= 224) return false;
  if (bytes[at + ip4.protocol] !== protocols.icmp) return true;
  const header = headerLength(bytes, at);
  return size > header && !errors.has(bytes[at + header] ?? 0);
}

/** Not 0.0.0.0/8, loopback, multicast, or reserved. */
export function isOneHost(bytes: Uint8Array, address: number): boolean {
  const first = bytes[address] ?? 0;
  return first !== 0 && first !== 127 && first < 224;
}

export interface IcmpMessage {
  readonly kind: IcmpKind;
  /** Four bytes. */
  readonly source: Uint8Array;
  /** The packet in question, which has no header fault. */
  readonly packet: Bytes & { readonly at: number; readonly size: number };
}

/** Writes the message at the start of `out`, which has room for the longest: its size. */
export function writeIcmp(out: Bytes, { kind, source, packet }: IcmpMessage): number {
  const { bytes } = out;
  const quote = Math.min(packet.size, headerLength(packet.bytes, packet.at) + quoted);
  const size = ip4.headerSize + icmpHeader + quote;
  bytes.fill(0, 0, size);
  bytes[0] = 0x45;
  bytes[ip4.tos] = precedence;
  putShort(bytes, ip4.totalLength, size);
  bytes[ip4.ttl] = ttl;
  bytes[ip4.protocol] = protocols.icmp;
  bytes.set(source, ip4.source);
  for (let i = 0; i < 4; i++) bytes[ip4.destination + i] = packet.bytes[packet.at + ip4.source + i] ?? 0;
  putHeaderChecksum(out, 0);
  const message = ip4.headerSize;
  bytes[message] = kind.type;
  bytes[message + 1] = kind.code;
  for (let i = 0; i < quote; i++) bytes[message + icmpHeader + i] = packet.bytes[packet.at + i] ?? 0;
  putChecksum(bytes, message + 2, addUp(out, message, icmpHeader + quote));
  return size;
}
