// The fields of IPv4 and TCP headers (RFC 791, 9293) in memory, and what is done to them on the way. Nobody looks at a field before
// `headerFault` has found no fault.
import { addUp, type Bytes, putChecksum, swapped } from './checksum.ts';

export const ip4 = {
  headerSize: 20,
  tos: 1,
  totalLength: 2,
  id: 4,
  fragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
} as const;
export const tcp = {
  headerSize: 20,
  sequence: 4,
  acknowledgement: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  options: 20,
} as const;
export const protocols = { icmp: 1, tcp: 6, udp: 17 } as const;

export type HeaderFault = 'not-ipv4' | 'malformed' | 'checksum';

export interface FoundPacket {
  readonly at: number;
  readonly size: number;
  /** Whether its header's checksum is looked at, too. */
  readonly isChecked: boolean;
}

/** What is wrong with bytes that should be one packet. */
export function headerFault(memory: Bytes, { at, size, isChecked }: FoundPacket): HeaderFault | undefined {
  const { bytes } = memory;
  if (size < 1) return 'malformed';
  if ((bytes[at] ?? 0) >>> 4 !== 4) return 'not-ipv4';
  if (size < ip4.headerSize) return 'malformed';
  const header = headerLength(bytes, at);
  const isFit = header >= ip4.headerSize && header <= size && short(bytes, at + ip4.totalLength) === size;
  if (!isFit) return 'malformed';
  return isChecked && addUp(memory, at, header) !== 0xffff ? 'checksum' : undefined;
}

export function headerLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) & 15) << 2;
}

/** Two bytes in the network's order. */
export function short(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function putShort(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}

/** Four bytes in the network's order, 0 to 2^32 - 1. */
export function long(bytes: Uint8Array, at: number): number {
  return short(bytes, at) * 0x10000 + short(bytes, at + 2);
}

export function putLong(bytes: Uint8Array, at: number, value: number): void {
  putShort(bytes, at, (value / 0x10000) & 0xffff);
  putShort(bytes, at + 2, value & 0xffff);
}

/** Four bytes as the machine reads them, signed: what addresses are compared and looked up as. */
export function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

/** RFC 1141 with RFC 1624's care for the two zeros: the checksum grows by what the TTL lost. The TTL is not 0. */
export function decrementTtl(bytes: Uint8Array, at: number): void {
  bytes[at + ip4.ttl] = (bytes[at + ip4.ttl] ?? 0) - 1;
  const grown = short(bytes, at + ip4.checksum) + 0x100;
  putShort(bytes, at + ip4.checksum, (grown >= 0xffff ? grown + 1 : grown) & 0xffff);
}

export function putHeaderChecksum(memory: Bytes, at: number): void {
  putShort(memory.bytes, at + ip4.checksum, 0);
  putChecksum(memory.bytes, at + ip4.checksum, addUp(memory, at, headerLength(memory.bytes, at)));
}

/** The sum of the pseudo header (RFC 9293, section 3.1), to begin that of the segment with. */
export function pseudoSum(memory: Bytes, packet: number, segmentLength: number): number {
  const protocol = (memory.bytes[packet + ip4.protocol] ?? 0) << 8;
  return addUp(memory, packet + ip4.source, 8, protocol + swapped(segmentLength));
}
