// The rules of pods as nftables tables of our own, made of maps and sets: the rules are the same whatever pods there are, a pod is
// a handful of elements. Pure. Elements carry attachmentFileName as their comment, so that it can be told whose they are.
import { baseChain, chain, map, priority, rule, set, table } from '../../../kernel/nft/declare.ts';
import {
  addressFields,
  addressType,
  addressTypes,
  ct,
  ether,
  fib,
  ip,
  ip6,
  meta,
  sctp,
  tcp,
  th,
  udp,
} from '../../../kernel/nft/fields.ts';
import type { Rule, Table, TableId } from '../../../kernel/nft/objects.ts';
import { concat } from '../../../kernel/nft/selector.ts';
import type { NftSet } from '../../../kernel/nft/set.ts';
import { dnat, drop, goto, jump, masquerade } from '../../../kernel/nft/statement.ts';
import { type Family, IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';

export const podTable = { family: 'inet', name: 'netloom-cni' } as const satisfies TableId;
export const frameTable = { family: 'bridge', name: 'netloom-cni' } as const satisfies TableId;
export const podTableIds = [podTable, frameTable] as const;

/**
 * Behind dstnat, where kube-proxy and Netloom's own proxy translate: a Service keeps its connections whatever pods publish
 * (CVE-2019-9946). The first chain of type nat that decides is the only one.
 */
const afterServices = priority.dstnat + 10;
/** NF_BR_PRI_NAT_DST_BRIDGED of linux/netfilter_bridge.h: the first that a frame meets. */
const firstOfBridge = -300;

const loopback = Prefix.parse('127.0.0.0/8');
const loopback6 = IpAddress.parse('::1');
export const multicast: Readonly<Record<Family, Prefix>> = {
  4: Prefix.parse('224.0.0.0/4'),
  6: Prefix.parse('ff00::/8'),
};

export interface FamilySets {
  readonly ports: NftSet;
  readonly addressPorts: NftSet;
  readonly answered: NftSet;
  readonly always: NftSet;
  readonly sources: NftSet;
  readonly subnets: NftSet;
}

function setsOf(family: Family): FamilySets {
  const address = addressType(family);
  return {
    addressPorts: map(`address-ports${family}`, {
      key: [address, 'inet_proto', 'inet_service'],
      data: [address, 'inet_service'],
      comment: 'published on one address of the node',
    }),
    ports: map(`ports${family}`, {
      key: ['inet_proto', 'inet_service'],
      data: [address, 'inet_service'],
      comment: 'published on every address of the node',
    }),
    answered: set(`answered${family}`, {
      key: [address, 'inet_proto', 'inet_service', 'inet_service'],
      comment: "published ports of pods: the pod's end, then the port of the node",
    }),
    always: set(`always${family}`, {
      key: address,
      comment: 'pods whose published ports show them the node only',
    }),
    sources: set(`sources${family}`, {
      key: address,
      comment: "pods that have the node's address outside of their subnet",
    }),
    // Pairs, of a subnet and itself: one lookup tells that both ends are in the same.
    subnets: set(`subnets${family}`, {
      key: [address, address],
      flags: ['interval'],
      comment: 'within one subnet of pods',
    }),
  };
}

export const familySets: Readonly<Record<Family, FamilySets>> = { 4: setsOf(4), 6: setsOf(6) };

/** Its elements are also the note of which links have the sysctl from us. */
export const localnet = set('localnet', {
  key: 'ifname',
  comment: 'links whose route_localnet is on for 127.0.0.1:PORT',
});

/** Links whose frames are looked at, and what they may send from. */
export const checkedLinks = set('checked', {
  key: 'ifname',
  comment: 'host ends of pods whose frames are checked',
});
export const ownMacs = set('macs', {
  key: ['ifname', 'ether_addr'],
  comment: 'what their frames may come from',
});

const nat = { prerouting: 'prerouting', output: 'output', postrouting: 'postrouting' } as const;

/** The table of ports and masquerading without any pod in it. */
export const emptyPodTable: Table = table({
  ...podTable,
  comment: 'Published ports and masquerading of pods, made by Netloom',
  sets: [localnet, ...Object.values(familySets[4]), ...Object.values(familySets[6])],
  chains: [
    baseChain('guard', { type: 'filter', hook: 'prerouting', priority: priority.raw }),
    baseChain(nat.prerouting, { type: 'nat', hook: 'prerouting', priority: afterServices }),
    baseChain(nat.output, { type: 'nat', hook: 'output', priority: afterServices }),
    chain('published'),
    baseChain(nat.postrouting, { type: 'nat', hook: 'postrouting', priority: priority.srcnat }),
    chain('answers'),
    chain('hide4'),
    chain('hide6'),
  ],
  rules: [
    rule('guard', [meta.iifname.notEquals('lo'), meta.nfproto.ip, ip.daddr.in(loopback), drop], {
      comment: 'route_localnet must not open 127.0.0.1 to neighbours',
    }),
    // Only what is meant for the node: forwarded traffic to the same port is not ours (CVE-2025-67499).
    ...[nat.prerouting, nat.output].map((name) =>
      rule(name, [fib.daddrType.equals(addressTypes.local), goto('published')]),
    ),
    ...publishedRules(4),
    ...publishedRules(6),
    rule(nat.postrouting, [ct.status('dnat'), jump('answers')]),
    ...sourceRules(4),
    ...sourceRules(6),
    rule('answers', [meta.nfproto.ip, ip.saddr.in(loopback), goto('hide4')], {
      comment: 'from 127.0.0.1 of the node',
    }),
    ...answerRules(4),
    ...answerRules(6),
    ...hideRules(4),
    ...hideRules(6),
  ],
});

/** The table of frames without any pod in it. */
export const emptyFrameTable: Table = table({
  ...frameTable,
  comment: 'Source MAC addresses of pods, made by Netloom',
  sets: [checkedLinks, ownMacs],
  chains: [baseChain('prerouting', { type: 'filter', hook: 'prerouting', priority: firstOfBridge })],
  rules: [
    rule('prerouting', [
      meta.iifname.inSet(checkedLinks.name),
      concat(meta.iifname, ether.saddr).notInSet(ownMacs.name),
      drop,
    ]),
  ],
});

function inFamily(family: Family) {
  return family === 4 ? meta.nfproto.ip : meta.nfproto.ip6;
}

function publishedRules(family: Family): readonly Rule[] {
  const { daddr } = addressFields(family);
  const { addressPorts, ports } = familySets[family];
  const to = [addressType(family), 'inet_service'] as const;
  // ::1 cannot be the source of a packet on a link: what listens there keeps its connections.
  const here = family === 4 ? meta.nfproto.ip : [...meta.nfproto.ip6, ...ip6.daddr.notEquals(loopback6)];
  return [
    rule('published', [here, dnat({ by: concat(daddr, meta.l4proto, th.dport).map(addressPorts.name, to) })]),
    rule('published', [here, dnat({ by: concat(meta.l4proto, th.dport).map(ports.name, to) })]),
  ];
}

function sourceRules(family: Family): readonly Rule[] {
  const { saddr, daddr } = addressFields(family);
  const { sources, subnets } = familySets[family];
  return [
    rule(nat.postrouting, [
      inFamily(family),
      saddr.inSet(sources.name),
      daddr.notIn(multicast[family]),
      concat(saddr, daddr).notInSet(subnets.name),
      masquerade(),
    ]),
  ];
}

/** Which connections to published ports could not be answered by way of the node, where their addresses are translated back. */
function answerRules(family: Family): readonly Rule[] {
  const { saddr, daddr } = addressFields(family);
  const { always, subnets } = familySets[family];
  const here = inFamily(family);
  return [
    rule('answers', [here, concat(saddr, daddr).inSet(subnets.name), goto(`hide${family}`)], {
      comment: 'from neighbours and the pod itself: they would be answered directly',
    }),
    rule('answers', [here, daddr.inSet(always.name), goto(`hide${family}`)]),
  ];
}

/**
 * A Service is told from a published port by the port that was asked for. One whose port has the same number as the hostPort,
 * and that leads to the same port of the same pod, is not: neighbours then reach it, too, under the node's address.
 */
function hideRules(family: Family): readonly Rule[] {
  const { daddr } = addressFields(family);
  // nft reads the connection's port only behind a field of a certain protocol.
  return [tcp, udp, sctp].map((transport) =>
    rule(`hide${family}`, [
      inFamily(family),
      concat(daddr, meta.l4proto, transport.dport, ct.original.protoDst).inSet(
        familySets[family].answered.name,
      ),
      masquerade(),
    ]),
  );
}
