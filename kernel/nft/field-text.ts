// The names that nft has for what expressions load. Their values are printed by field-value-text.ts, rules by rule-text.ts.
import type { CtKey, Expression, MetaKey, PayloadBase } from './expressions.ts';
import type { Field, ValueType } from './field-value-text.ts';

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
  priority: ['classid', 4],
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
