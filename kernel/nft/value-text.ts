// Values as `nft list` prints them: addresses, services, marks, protocol names, quoted interface names.
import { IpAddress } from '../../net/address.ts';
import type { Datatype, FieldValue } from './datatype.ts';
import type { KeyPart } from './interval.ts';
import { isInterval } from './interval.ts';
import type { Element } from './set.ts';

/** The protocol numbers that Netloom uses, by nft's names. Values of `inet_proto` fields are numbers. */
export const protocol = { icmp: 1, igmp: 2, tcp: 6, udp: 17, esp: 50, icmpv6: 58, sctp: 132 } as const;

/**
 * Names that nft prints for protocol numbers: those that stand in every /etc/protocols (nft asks that file).
 * A number without a name here is printed as it is.
 */
const protocolNames: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [2, 'igmp'],
  [4, 'ipencap'],
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [41, 'ipv6'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [58, 'ipv6-icmp'],
  [132, 'sctp'],
  [136, 'udplite'],
]);

/** ct state bits in the order of their numbers, which is the order nft prints them in. */
export const ctStates = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const;
/** Bits of ct status that nft names. */
export const ctStatuses = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
} as const;

export function protocolName(number: number): string {
  return protocolNames.get(number) ?? String(number);
}

/** Eight digits, as nft prints marks. */
export function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** As nft prints queueing classes (TC_H_UNSPEC and TC_H_ROOT of linux/pkt_sched.h have names). */
export function classidText(value: number): string {
  if (value === 0) return 'none';
  if (value === 0xffffffff) return 'root';
  return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
}

/** Bits by name, low bits first; what has no name as a number. */
export function bitNames(names: Readonly<Record<string, number>>, value: number): string {
  const found = Object.entries(names).filter(([, bit]) => (value & bit) !== 0);
  const rest = found.reduce((left, [, bit]) => left & ~bit, value);
  const texts = found.map(([name]) => name);
  if (rest !== 0 || texts.length === 0) texts.push(`0x${(rest >>> 0).toString(16)}`);
  return texts.join(',');
}

export function fieldText(type: Datatype, value: FieldValue): string {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'number') {
    if (type === 'inet_proto') return protocolName(value);
    if (type === 'mark') return hex32(value);
    if (type === 'classid') return classidText(value);
    if (type === 'ct_state') return bitNames(ctStates, value);
    return String(value);
  }
  return type === 'ifname' ? `"${String(value)}"` : String(value);
}

export function partText(type: Datatype, part: KeyPart): string {
  if (isInterval(part)) return `${fieldText(type, part.first)}-${fieldText(type, part.last)}`;
  if (typeof part === 'object' && 'length' in part && 'address' in part) return part.toString();
  return fieldText(type, part);
}

/** An address where a port may follow: IPv6 in brackets. */
export function addressWithPort(address: string, port: string): string {
  const bare = IpAddress.tryParse(address)?.family === 6 ? `[${address}]` : address;
  return `${bare}:${port}`;
}

/** What tells an element from the others of its set, as nft writes it: "10.0.0.1 . tcp . 80". */
export function keyText(types: readonly Datatype[], key: Element['key']): string {
  if (key === 'default') return '*';
  return key.map((part, i) => partText(types[i] ?? { opaque: 0, length: 0 }, part)).join(' . ');
}

/** Text in quotes. nft has no escapes inside them, so a comment must not hold a quote (see declare.ts). */
export function quoted(text: string): string {
  return `"${text}"`;
}
