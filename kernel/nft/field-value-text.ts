// How nft prints the values of fields in rules, from their register bytes. The fields' names are in field-text.ts.
import { fieldValue } from './datatype.ts';
import { addressTypes } from './fields.ts';
import { bitNames, classidText, ctStates, ctStatuses, fieldText, hex32, protocolName } from './value-text.ts';

/** What a register holds: its text, how its values are printed, and which protocol it needs before it. */
export interface Field {
  readonly text: string;
  readonly type: ValueType;
  readonly length: number;
  /** Values of registers are in network order although the type is in the host's (after byteorder). */
  readonly turned?: boolean;
}

export type ValueType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'classid'
  | 'ifname'
  | 'integer'
  | 'host integer'
  | 'ct_state'
  | 'ct_status'
  | 'ct_direction'
  | 'fib_type'
  | 'nfproto'
  | 'tcp_flags'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'pkttype'
  | 'hex';

/** Types whose values are sets of bits: nft writes `ct state new` for "any of these bits". */
export function isBitmask(type: ValueType): boolean {
  return type === 'ct_state' || type === 'ct_status' || type === 'tcp_flags';
}

const fibTypes: Readonly<Record<string, number>> = {
  unspec: 0,
  ...addressTypes,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
};
const nfprotos: Readonly<Record<string, number>> = { ipv4: 2, ipv6: 10 };
const directions: Readonly<Record<string, number>> = { original: 0, reply: 1 };
const pkttypes: Readonly<Record<string, number>> = { host: 0, broadcast: 1, multicast: 2, other: 3 };
const tcpFlags: Readonly<Record<string, number>> = {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 16,
  urg: 32,
  ecn: 64,
  cwr: 128,
};
const icmpTypes: Readonly<Record<string, number>> = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  redirect: 5,
  'echo-request': 8,
  'time-exceeded': 11,
};
const icmpv6Types: Readonly<Record<string, number>> = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'echo-request': 128,
  'echo-reply': 129,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
};

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, number]) => number === value)?.[0] ?? String(value);
}

function numberOf(bytes: Uint8Array, order: 'host' | 'big'): number {
  const ordered = order === 'big' ? bytes : Uint8Array.from(bytes).reverse();
  return ordered.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** Register bytes as nft prints a value of the field. */
export function valueText(field: Field, bytes: Uint8Array): string {
  const host = numberOf(bytes, field.turned === true ? 'big' : 'host');
  switch (field.type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
    case 'ether_addr':
      return String(fieldValue(field.type, padded(bytes, field.type)));
    case 'ifname':
      return interfaceText(bytes);
    case 'inet_proto':
      return protocolName(bytes[0] ?? 0);
    case 'inet_service':
    case 'integer':
      return String(numberOf(bytes, 'big'));
    case 'host integer':
      return String(host);
    case 'mark':
      return hex32(host);
    case 'classid':
      return classidText(host);
    case 'ct_state':
      return bitNames(ctStates, host);
    case 'ct_status':
      return bitNames(ctStatuses, host);
    case 'ct_direction':
      return nameOf(directions, host);
    case 'fib_type':
      return nameOf(fibTypes, host);
    case 'nfproto':
      return nameOf(nfprotos, host);
    case 'pkttype':
      return nameOf(pkttypes, host);
    case 'tcp_flags':
      return bitNames(tcpFlags, host);
    case 'icmp_type':
      return nameOf(icmpTypes, host);
    case 'icmpv6_type':
      return nameOf(icmpv6Types, host);
    case 'hex':
      return `0x${Buffer.from(bytes).toString('hex')}`;
    default:
      return field.type satisfies never;
  }
}

function padded(bytes: Uint8Array, type: 'ipv4_addr' | 'ipv6_addr' | 'ether_addr'): Uint8Array {
  const whole = new Uint8Array(type === 'ipv4_addr' ? 4 : type === 'ipv6_addr' ? 16 : 6);
  whole.set(bytes.subarray(0, whole.length));
  return whole;
}

/** Without the zero that ends a name it is the beginning of one. */
function interfaceText(bytes: Uint8Array): string {
  const ends = bytes.includes(0);
  const name =
    ends || bytes.length >= 16 ? fieldValue('ifname', fitted(bytes)) : Buffer.from(bytes).toString('utf8');
  return ends || bytes.length >= 16 ? fieldText('ifname', name) : `"${String(name)}*"`;
}

function fitted(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(16);
  whole.set(bytes.subarray(0, 16));
  return whole;
}
