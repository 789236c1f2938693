// The names that nft has for what expressions load, and how it prints the values of each. rule-text.ts puts rules together.
import { fieldValue } from './datatype.ts';
import type { CtKey, Expression, MetaKey, PayloadBase } from './expressions.ts';
import { addressTypes } from './fields.ts';
import { bitNames, ctStates, ctStatuses, fieldText, hex32, protocolName } from './value-text.ts';

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
  | 'priority'
  | 'hex';

/** Types whose values are sets of bits: nft writes `ct state new` for "any of these bits". */
export function isBitmask(type: ValueType): boolean {
  return type === 'ct_state' || type === 'ct_status' || type === 'tcp_flags';
}

interface HeaderField {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly type: ValueType;
}

function headerField(
  name: string,
  place: readonly [offset: number, length: number],
  type: ValueType,
): HeaderField {
  return { name, offset: place[0], length: place[1], type };
}

const ipFields = [
  headerField('length', [2, 2], 'integer'),
  headerField('id', [4, 2], 'integer'),
  headerField('ttl', [8, 1], 'integer'),
  headerField('protocol', [9, 1], 'inet_proto'),
  headerField('checksum', [10, 2], 'integer'),
  headerField('saddr', [12, 4], 'ipv4_addr'),
  headerField('daddr', [16, 4], 'ipv4_addr'),
];
const ip6Fields = [
  headerField('length', [4, 2], 'integer'),
  headerField('nexthdr', [6, 1], 'inet_proto'),
  headerField('hoplimit', [7, 1], 'integer'),
  headerField('saddr', [8, 16], 'ipv6_addr'),
  headerField('daddr', [24, 16], 'ipv6_addr'),
];
const portFields = [
  headerField('sport', [0, 2], 'inet_service'),
  headerField('dport', [2, 2], 'inet_service'),
];
const etherFields = [
  headerField('daddr', [0, 6], 'ether_addr'),
  headerField('saddr', [6, 6], 'ether_addr'),
  headerField('type', [12, 2], 'hex'),
];
const transports: Readonly<
  Partial<Record<number, { readonly name: string; readonly fields: readonly HeaderField[] }>>
> = {
  1: {
    name: 'icmp',
    fields: [headerField('type', [0, 1], 'icmp_type'), headerField('code', [1, 1], 'integer')],
  },
  6: { name: 'tcp', fields: [...portFields, headerField('flags', [13, 1], 'tcp_flags')] },
  17: { name: 'udp', fields: [...portFields, headerField('length', [4, 2], 'integer')] },
  58: {
    name: 'icmpv6',
    fields: [headerField('type', [0, 1], 'icmpv6_type'), headerField('code', [1, 1], 'integer')],
  },
  132: { name: 'sctp', fields: portFields },
};
const networks: Readonly<
  Partial<Record<number, { readonly name: string; readonly fields: readonly HeaderField[] }>>
> = {
  2: { name: 'ip', fields: ipFields },
  10: { name: 'ip6', fields: ip6Fields },
};
const shortBases: Readonly<Record<PayloadBase, string>> = {
  link: 'll',
  network: 'nh',
  transport: 'th',
  inner: 'ih',
};

/** Which protocols the rule has made sure of so far: NFPROTO_* and IPPROTO_*. */
export interface Protocols {
  readonly network: number | undefined;
  readonly transport: number | undefined;
}

/** A field of the packet; `whole` is the field's own length where less is loaded (prefixes of whole bytes). */
export function payloadField(
  load: Extract<Expression, { kind: 'payload' }>,
  protocols: Protocols,
): Field & { readonly whole: number; readonly needs?: 'network' | 'transport' } {
  const { base, offset, length } = load;
  const header = headerOf(base, protocols);
  const found = header?.fields.find(
    (one) =>
      one.offset === offset &&
      (one.length === length ||
        (one.length > length && (one.type === 'ipv4_addr' || one.type === 'ipv6_addr'))),
  );
  if (header === undefined || found === undefined) {
    const text = `@${shortBases[base]},${offset * 8},${length * 8}`;
    return { text, type: 'hex', length, whole: length };
  }
  return {
    text: `${header.name} ${found.name}`,
    type: found.type,
    length,
    whole: found.length,
    ...(header.needs === undefined ? {} : { needs: header.needs }),
  };
}

function headerOf(
  base: PayloadBase,
  protocols: Protocols,
):
  | {
      readonly name: string;
      readonly fields: readonly HeaderField[];
      readonly needs?: 'network' | 'transport';
    }
  | undefined {
  if (base === 'link') return { name: 'ether', fields: etherFields };
  if (base === 'network') {
    const network = networks[protocols.network ?? 0];
    return network === undefined ? undefined : { ...network, needs: 'network' };
  }
  if (base !== 'transport') return undefined;
  const transport = transports[protocols.transport ?? -1];
  return transport === undefined ? { name: 'th', fields: portFields } : { ...transport, needs: 'transport' };
}

const metaTypes: Readonly<Partial<Record<MetaKey, readonly [ValueType, number]>>> = {
  mark: ['mark', 4],
  l4proto: ['inet_proto', 1],
  nfproto: ['nfproto', 1],
  iifname: ['ifname', 16],
  oifname: ['ifname', 16],
  ibrname: ['ifname', 16],
  obrname: ['ifname', 16],
  pkttype: ['pkttype', 1],
  priority: ['priority', 4],
  protocol: ['hex', 2],
  iiftype: ['host integer', 2],
  oiftype: ['host integer', 2],
};
/** Names that nft writes without `meta` before them. */
const bareMeta: readonly MetaKey[] = ['iif', 'oif', 'iifname', 'oifname'];

export function metaField(key: MetaKey): Field {
  const [type, length] = metaTypes[key] ?? ['host integer', 4];
  return { text: bareMeta.includes(key) ? key : `meta ${key}`, type, length };
}

const ctTypes: Readonly<Partial<Record<CtKey, readonly [ValueType, number]>>> = {
  state: ['ct_state', 4],
  status: ['ct_status', 4],
  direction: ['ct_direction', 1],
  mark: ['mark', 4],
  'ip saddr': ['ipv4_addr', 4],
  'ip daddr': ['ipv4_addr', 4],
  'ip6 saddr': ['ipv6_addr', 16],
  'ip6 daddr': ['ipv6_addr', 16],
  protocol: ['inet_proto', 1],
  'proto-src': ['inet_service', 2],
  'proto-dst': ['inet_service', 2],
  zone: ['host integer', 2],
};

export function ctField(load: Extract<Expression, { kind: 'ct' }>, family: 'ip' | 'ip6' = 'ip'): Field {
  // The older keys of addresses say nothing of the family: the table's does.
  const key: CtKey = load.key === 'saddr' || load.key === 'daddr' ? `${family} ${load.key}` : load.key;
  const [type, length] = ctTypes[key] ?? ['host integer', 4];
  const direction = load.direction === undefined ? '' : `${load.direction} `;
  return { text: `ct ${direction}${key}`, type, length };
}

export function fibField(load: Extract<Expression, { kind: 'fib' }>): Field {
  const type = load.result === 'type' ? 'fib_type' : load.result === 'oifname' ? 'ifname' : 'host integer';
  return {
    text: `fib ${load.by.join(' . ')} ${load.result}`,
    type,
    length: load.result === 'oifname' ? 16 : 4,
  };
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
    case 'priority':
      return `${(host >>> 16).toString(16)}:${(host & 0xffff).toString(16)}`;
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
