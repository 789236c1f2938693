// What every driver of ipset must do, as data: states to go through, disturbances to heal and refusals, with what an operator sees
// afterwards. The tests of the fake and of the real kernel run the same cases.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Transport } from '../../net/transport.ts';
import { type Ipset, type IpsetAccess, type IpsetEntry, type IpsetStep, ipsetEntries } from './objects.ts';
import type { WantedIpset } from './plan.ts';
import { readIpsets } from './read-sets.ts';
import { entryOfSetText, ipsetText } from './text.ts';

const ip = IpAddress.parse;

export const isOurs = (name: string): boolean => name.startsWith('KUBE-');

function at(address: string, protocol: Transport, port: number): IpsetEntry {
  return { address: ip(address), protocol, port };
}

function wanted(set: Ipset, ...entries: readonly IpsetEntry[]): WantedIpset {
  return { set, entries: ipsetEntries(entries) };
}

export const clusterIps: Ipset = {
  name: 'KUBE-CLUSTER-IP',
  type: 'hash:ip,port',
  family: 4,
  maxElements: 65536,
};
const clusterIps6: Ipset = { ...clusterIps, name: 'KUBE-6-CLUSTER-IP', family: 6 };
const loopBack: Ipset = { name: 'KUBE-LOOP-BACK', type: 'hash:ip,port,ip', family: 4, maxElements: 65536 };
const loopBack6: Ipset = { ...loopBack, name: 'KUBE-6-LOOP-BACK', family: 6 };
const sources: Ipset = {
  name: 'KUBE-LOAD-BALANCER-SOURCE-CIDR',
  type: 'hash:ip,port,net',
  family: 4,
  maxElements: 65536,
};
/** The longest name that a set can have. */
const sources6: Ipset = { ...sources, name: 'KUBE-6-LOAD-BALANCER-SOURCE-CID', family: 6 };
export const nodePorts: Ipset = {
  name: 'KUBE-NODE-PORT-TCP',
  type: 'bitmap:port',
  family: 4,
  maxElements: undefined,
};
const bound: Ipset = { name: 'KUBE-IPVS-IPS', type: 'hash:ip', family: 4, maxElements: 65536 };
const bound6: Ipset = { ...bound, name: 'KUBE-6-IPVS-IPS', family: 6 };

/** As `ipset save`, sorted, but for how many entries a set may hold: that depends on what was there before. */
export function show(access: IpsetAccess): readonly string[] {
  return [...readIpsets(access, isOurs).values()]
    .flatMap(({ header, entries }) => [
      `create ${header.name} ${header.type}${['', ' family inet', ' family inet6'][[0, 2, 10].indexOf(header.family)]}`,
      ...[...entries.values()].map((entry) => `add ${entryOfSetText(header, entry)}`),
    ])
    .sort();
}

function shown(sets: readonly WantedIpset[]): readonly string[] {
  return sets
    .flatMap(({ set, entries }) => [
      `create ${ipsetText(set).replace(/ (maxelem|range) .*/, '')}`,
      ...[...entries.keys()].map((text) => `add ${set.name} ${text}`),
    ])
    .sort();
}

function state(name: string, wanted: readonly WantedIpset[]) {
  return { name, wanted, shown: shown(wanted) };
}

const one = at('10.96.0.1', 'tcp', 443);
const dns = at('10.96.0.10', 'udp', 53);

export const states = [
  state('nothing', []),
  state('sets without entries', [wanted(clusterIps), wanted(loopBack), wanted(nodePorts), wanted(bound)]),
  state('every type', [
    wanted(clusterIps, one, dns, at('10.96.0.11', 'sctp', 38412), at('10.96.0.12', 'tcp', 0)),
    wanted(loopBack, { ...at('10.244.1.2', 'tcp', 8080), second: Prefix.parse('10.244.1.2/32') }),
    wanted(
      sources,
      { ...at('192.0.2.10', 'tcp', 80), second: Prefix.parse('0.0.0.0/1') },
      { ...at('192.0.2.10', 'tcp', 80), second: Prefix.parse('128.0.0.0/1') },
      { ...at('192.0.2.10', 'udp', 80), second: Prefix.parse('10.1.2.3/32') },
      // Given with host bits, kept without.
      { ...at('192.0.2.11', 'udp', 80), second: Prefix.parse('10.1.2.3/8') },
    ),
    wanted(nodePorts, { port: 0 }, { port: 30080 }, { port: 65535 }),
    wanted(bound, { address: ip('10.96.0.1') }, { address: ip('255.255.255.254') }),
  ]),
  state('IPv6', [
    wanted(clusterIps6, at('fd00:96::1', 'tcp', 443), at('fd00:96::a', 'udp', 53)),
    wanted(loopBack6, { ...at('fd00:244::2', 'sctp', 1), second: Prefix.parse('fd00:244::2/128') }),
    wanted(
      sources6,
      { ...at('2001:db8::10', 'tcp', 80), second: Prefix.parse('::/1') },
      { ...at('2001:db8::10', 'tcp', 80), second: Prefix.parse('fd00::/33') },
      { ...at('2001:db8::10', 'tcp', 80), second: Prefix.parse('fd00::1/128') },
    ),
    wanted(bound6, { address: ip('fd00:96::1') }),
  ]),
  state('other entries', [
    wanted(clusterIps, one, at('10.96.0.20', 'tcp', 80)),
    wanted(loopBack, { ...at('10.244.1.3', 'tcp', 8080), second: Prefix.parse('10.244.1.3/32') }),
    wanted(nodePorts, { port: 30081 }),
  ]),
  state('a set that holds two', [wanted({ ...clusterIps, maxElements: 2 }, one, dns)]),
  state('seven entries where two were', [
    wanted(
      { ...clusterIps, maxElements: 2 },
      ...[1, 2, 3, 4, 5, 6, 7].map((last) => at(`10.96.1.${last}`, 'tcp', 80)),
    ),
  ]),
  state('the same names for other types', [
    wanted({ ...bound, name: clusterIps.name }, { address: ip('10.96.0.1') }),
    wanted({ ...bound6, name: loopBack.name }, { address: ip('fd00::1') }),
    wanted({ ...clusterIps, name: nodePorts.name }, dns),
  ]),
] as const;

interface Disturbance {
  readonly name: string;
  /** In the state "every type". */
  readonly steps: readonly IpsetStep[];
  /** What is seen of it, before it is healed. */
  readonly lost: readonly string[];
  readonly more: readonly string[];
}

export const disturbances: readonly Disturbance[] = [
  {
    name: 'entries that somebody deleted and added',
    steps: [
      { kind: 'entry-delete', set: clusterIps, entry: one },
      { kind: 'entry-delete', set: nodePorts, entry: { port: 30080 } },
      { kind: 'entry-add', set: nodePorts, entry: { port: 22 } },
    ],
    lost: ['add KUBE-CLUSTER-IP 10.96.0.1,tcp:443', 'add KUBE-NODE-PORT-TCP 30080'],
    more: ['add KUBE-NODE-PORT-TCP 22'],
  },
  {
    name: 'a set that somebody destroyed',
    steps: [{ kind: 'set-destroy', name: bound.name }],
    lost: [
      'add KUBE-IPVS-IPS 10.96.0.1',
      'add KUBE-IPVS-IPS 255.255.255.254',
      'create KUBE-IPVS-IPS hash:ip family inet',
    ],
    more: [],
  },
  {
    name: 'a spare set of a plan that was cut short',
    steps: [
      { kind: 'set-create', set: { ...clusterIps, name: 'NETLOOM-SPARE' } },
      { kind: 'entry-add', set: { ...clusterIps, name: 'NETLOOM-SPARE' }, entry: one },
    ],
    lost: [],
    more: ['create NETLOOM-SPARE hash:ip,port family inet'],
  },
];

interface Refusal {
  readonly name: string;
  /** All but the last are carried out; on nothing. */
  readonly steps: readonly IpsetStep[];
  readonly message: RegExp;
}

const tiny: Ipset = { ...clusterIps, maxElements: 1 };
const create: IpsetStep = { kind: 'set-create', set: clusterIps };

export const refusals: readonly Refusal[] = [
  {
    name: 'one entry too many',
    steps: [
      { kind: 'set-create', set: tiny },
      { kind: 'entry-add', set: tiny, entry: one },
      { kind: 'entry-add', set: tiny, entry: one },
      { kind: 'entry-add', set: tiny, entry: dns },
    ],
    message:
      /^Cannot add to set "KUBE-CLUSTER-IP 10\.96\.0\.10,udp:53": the set is full \(IPSET_ERR_HASH_FULL\): it holds at most 1 entries$/,
  },
  {
    name: 'a set that is there with another size',
    steps: [create, create, { kind: 'set-create', set: tiny }],
    message:
      /^Cannot create set "KUBE-CLUSTER-IP hash:ip,port family inet maxelem 1": .*EEXIST.*other options$/,
  },
  {
    name: 'a set that is there with another type',
    steps: [create, { kind: 'set-create', set: { ...bound, name: clusterIps.name } }],
    message: /EEXIST.*another type/,
  },
  {
    name: 'an entry of another type',
    steps: [
      create,
      { kind: 'entry-add', set: { ...bound, name: clusterIps.name }, entry: { address: ip('10.0.0.1') } },
    ],
    message: /^Cannot add to set "KUBE-CLUSTER-IP 10\.0\.0\.1": .*IPSET_ERR_PROTOCOL/,
  },
  {
    name: 'an entry of the other family',
    steps: [create, { kind: 'entry-add', set: { ...clusterIps, family: 6 }, entry: at('fd00::1', 'tcp', 1) }],
    message: /IPSET_ERR_PROTOCOL/,
  },
  {
    name: 'an entry for a set that is not there',
    steps: [{ kind: 'entry-add', set: clusterIps, entry: one }],
    message: /^Cannot add to set "KUBE-CLUSTER-IP 10\.96\.0\.1,tcp:443": .*ENOENT.*there is no such set$/,
  },
  {
    name: 'swapping types',
    steps: [
      create,
      { kind: 'set-create', set: bound },
      { kind: 'set-swap', name: bound.name, other: clusterIps.name },
    ],
    message: /^Cannot swap sets "KUBE-IPVS-IPS KUBE-CLUSTER-IP": their types differ/,
  },
  {
    name: 'swapping with nothing',
    steps: [create, { kind: 'set-swap', name: clusterIps.name, other: 'KUBE-NONE' }],
    message: /the second set is not there/,
  },
  {
    name: 'swapping nothing',
    steps: [create, { kind: 'set-swap', name: 'KUBE-NONE', other: clusterIps.name }],
    message: /"KUBE-NONE KUBE-CLUSTER-IP": .*there is no such set/,
  },
  {
    name: 'a network of everything',
    steps: [
      { kind: 'set-create', set: sources },
      { kind: 'entry-add', set: sources, entry: { ...one, second: Prefix.parse('0.0.0.0/0') } },
    ],
    message:
      /^Cannot store "10\.96\.0\.1,tcp:443,0\.0\.0\.0\/0" in set "KUBE-LOAD-BALANCER-SOURCE-CIDR": its network/,
  },
  {
    name: 'no name',
    steps: [create, { kind: 'set-destroy', name: '' }],
    message: /^Cannot destroy set "": a name has 1 to 31 bytes/,
  },
  {
    name: 'a name too long',
    steps: [{ kind: 'set-create', set: { ...clusterIps, name: 'K'.repeat(32) } }],
    message: /^Cannot create set "K{32}": a name has 1 to 31 bytes/,
  },
  {
    name: 'a port that is none',
    steps: [
      { kind: 'set-create', set: nodePorts },
      { kind: 'entry-add', set: nodePorts, entry: { port: 65536 } },
    ],
    message: /in set "KUBE-NODE-PORT-TCP": its port is 65536/,
  },
];

/** Not there before and not there afterwards: no error. */
export const withoutEffect: readonly IpsetStep[] = [
  { kind: 'set-destroy', name: 'KUBE-NONE' },
  { kind: 'entry-delete', set: clusterIps, entry: one },
];
