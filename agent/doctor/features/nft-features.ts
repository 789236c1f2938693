// What of nf_tables Netloom's tables are made of, each tried by a small table, and the agent's own tables as they are.

import { baseChain, element, map, priority, rule, set, table } from '../../../kernel/nft/declare.ts';
import { openNftDriver } from '../../../kernel/nft/driver.ts';
import { addressTypes, ct, fib, ip, meta, numgen, th } from '../../../kernel/nft/fields.ts';
import { type Table, tableKey } from '../../../kernel/nft/objects.ts';
import { planNft } from '../../../kernel/nft/plan.ts';
import { concat, type Statement } from '../../../kernel/nft/selector.ts';
import type { NftSet } from '../../../kernel/nft/set.ts';
import { dnat, drop, masquerade, reject, update } from '../../../kernel/nft/statement.ts';
import { generationAfter } from '../../../kernel/nft/step.ts';
import { protocol } from '../../../kernel/nft/value-text.ts';
import { Prefix } from '../../../net/prefix.ts';
import { masqueradeTable } from '../../masquerade-nftables.ts';
import { podTables } from '../../wiring/rules/nft-elements.ts';
import type { Feature, ProbeRoom, Use } from './feature.ts';

const masquerading: Use = { kind: 'masquerade', name: 'nftables' };
const proxy: Use = { kind: 'proxy-mode', name: 'nftables' };
const ports: Use = { kind: 'some', name: 'pods with host ports' };

const id = { family: 'ip', name: 'netloom-probe' } as const;
const filterChain = baseChain('probe', { type: 'filter', hook: 'forward', priority: priority.filter });
const natChain = baseChain('probe', { type: 'nat', hook: 'postrouting', priority: priority.srcnat });
const preroutingChain = baseChain('probe', { type: 'nat', hook: 'prerouting', priority: priority.dstnat });

export const nftFeatures: readonly Feature[] = [
  feature({
    ...{
      name: 'nf-tables',
      title: 'tables of both families',
      uses: [masquerading, proxy, ports],
      modules: ['nf_tables'],
    },
    tables: [
      table({ family: 'inet', name: 'netloom-probe', chains: [filterChain] }),
      table({ family: 'ip6', name: 'netloom-probe', chains: [filterChain] }),
    ],
  }),
  feature({
    ...{ name: 'nft-masquerade', title: 'masquerade, ports at random', uses: [masquerading, proxy, ports] },
    modules: ['nft_chain_nat', 'nft_masq'],
    tables: [ofRule(natChain, [masquerade({ fullyRandom: true })])],
  }),
  feature({
    ...{
      name: 'nft-dnat-map',
      title: 'DNAT by maps',
      uses: [proxy, ports],
      modules: ['nft_chain_nat', 'nft_nat'],
    },
    tables: [ofRule(preroutingChain, [dnatByMap()], [endpointMap()])],
  }),
  feature({
    ...{ name: 'nft-numgen', title: 'choice at random (numgen)', uses: [proxy], modules: ['nft_numgen'] },
    tables: [
      ofRule(filterChain, [meta.priority.set(numgen.random(2).map('classes', ['classid']))], [classes()]),
    ],
  }),
  feature({
    ...{ name: 'nft-affinity', title: 'maps that packets fill', uses: [proxy] },
    modules: ['nf_tables'],
    tables: [
      ofRule(
        filterChain,
        [update('recent', { key: concat(ip.saddr, th.dport), timeout: 10_000, counter: true })],
        [set('recent', { key: ['ipv4_addr', 'inet_service'], flags: ['dynamic', 'timeout'], size: 1024 })],
      ),
    ],
  }),
  feature({
    ...{
      name: 'nft-intervals',
      title: 'sets of networks',
      uses: [masquerading, proxy],
      modules: ['nf_tables'],
    },
    tables: [ofRule(filterChain, [ip.saddr.inSet('ranges'), drop], [intervals()])],
  }),
  feature({
    ...{
      name: 'nft-fib',
      title: 'kind of address (fib)',
      uses: [proxy, ports],
      modules: ['nft_fib', 'nft_fib_ipv4', 'nft_fib_ipv6'],
    },
    tables: [ofRule(preroutingChain, [fib.daddrType.equals(addressTypes.local), drop])],
  }),
  feature({
    ...{ name: 'nft-reject', title: 'reject', uses: [proxy], modules: ['nft_reject', 'nft_reject_ipv4'] },
    tables: [ofRule(filterChain, [reject('ip')])],
  }),
  feature({
    ...{ name: 'nft-ct', title: 'connection tracking (ct)', uses: [proxy, ports], modules: ['nft_ct'] },
    tables: [ofRule(filterChain, [ct.status('dnat'), drop])],
  }),
  feature({
    ...{
      name: 'nft-bridge',
      title: 'tables of bridges',
      uses: [{ kind: 'some', name: 'pods with spoof checks' }],
    },
    modules: ['nf_tables'],
    remedy: 'take a kernel with CONFIG_NF_TABLES_BRIDGE',
    tables: [table({ family: 'bridge', name: 'netloom-probe', chains: [filterChain] })],
  }),
  {
    ...{
      name: 'pod-tables',
      title: 'the tables of pods’ ports',
      uses: [ports],
      modules: ['nf_tables', 'nft_nat'],
    },
    group: 'nftables',
    probe: (room) => tryTables(room, [...podTables([]).values()]),
  },
  feature({
    ...{
      name: 'agent-table',
      title: 'the agent’s own table',
      uses: [masquerading],
      modules: ['nf_tables', 'nft_masq'],
    },
    tables: [
      masqueradeTable({
        families: [
          {
            family: 4,
            network: Prefix.parse('10.244.0.0/16'),
            subnet: Prefix.parse('10.244.1.0/24'),
            exclude: [Prefix.parse('192.0.2.0/24')],
          },
          {
            family: 6,
            network: Prefix.parse('fd00:244::/48'),
            subnet: Prefix.parse('fd00:244:0:1::/64'),
            exclude: [],
          },
        ],
        randomFully: true,
        forward: true,
      }),
    ],
  }),
];

function feature({
  tables,
  ...rest
}: Omit<Feature, 'group' | 'probe'> & { readonly tables: readonly Table[] }): Feature {
  return { ...rest, group: 'nftables', probe: (room) => tryTables(room, tables) };
}

/** Puts the tables into the kernel; throws the first refusal. */
export function tryTables({ netns }: Pick<ProbeRoom, 'netns'>, tables: readonly Table[]): void {
  const driver = openNftDriver({ netns });
  try {
    const wanted = new Map(tables.map((one) => [tableKey(one), one]));
    generationAfter(driver.apply(planNft(wanted, new Map())));
  } finally {
    driver.close();
  }
}

function ofRule(
  base: ReturnType<typeof baseChain>,
  statements: readonly Statement[],
  sets: readonly NftSet[] = [],
): Table {
  return table({ ...id, sets, chains: [base], rules: [rule(base.name, statements)] });
}

function endpointMap(): NftSet {
  return map('endpoints', {
    key: ['ipv4_addr', 'inet_proto', 'inet_service'],
    data: ['ipv4_addr', 'inet_service'],
  });
}

function dnatByMap(): Statement {
  const key = concat(ip.daddr, meta.l4proto, th.dport);
  return [
    ...meta.l4proto.equals(protocol.tcp),
    ...dnat({ by: key.map('endpoints', ['ipv4_addr', 'inet_service']) }),
  ];
}

function classes(): NftSet {
  return map('classes', { key: 'integer', data: 'classid' });
}

function intervals(): NftSet {
  return set('ranges', {
    key: 'ipv4_addr',
    flags: ['interval'],
    elements: [element(Prefix.parse('192.0.2.0/24'))],
  });
}
