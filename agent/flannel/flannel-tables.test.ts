import { expect, test } from '@jest/globals';
import { baseChain, chain, counterObject, priority, rule, table } from '../../kernel/nft/declare.ts';
import { addressFields, meta } from '../../kernel/nft/fields.ts';
import type { Chain, Counter, Rule, Table } from '../../kernel/nft/objects.ts';
import { accept, drop, masquerade, returnStatement } from '../../kernel/nft/statement.ts';
import { Prefix } from '../../net/prefix.ts';
import { findFlannelTables } from './flannel-tables.ts';

const network = Prefix.parse('10.244.0.0/16');
const subnet = Prefix.parse('10.244.1.0/24');
const { saddr, daddr } = addressFields(4);
const chains = [
  baseChain('postrtg', { type: 'nat', hook: 'postrouting', priority: priority.srcnat }),
  baseChain('forward', { type: 'filter', hook: 'forward', priority: priority.filter }),
];
const rules = [
  rule('postrtg', [meta.mark.equals(0x4000), returnStatement]),
  rule('postrtg', [saddr.in(subnet), daddr.in(network), returnStatement]),
  rule('postrtg', [saddr.notIn(subnet), daddr.in(network), returnStatement]),
  rule('postrtg', [
    saddr.in(network),
    daddr.notIn(Prefix.parse('224.0.0.0/4')),
    masquerade({ fullyRandom: true }),
  ]),
  rule('postrtg', [saddr.notIn(network), daddr.in(network), masquerade()]),
  rule('forward', [saddr.in(network), accept]),
  rule('forward', [daddr.in(network), accept]),
];

interface More {
  readonly chains?: readonly Chain[];
  readonly rules?: readonly Rule[];
  readonly counters?: readonly Counter[];
}

function flannelTable(more: More = {}): Table {
  return table({
    family: 'ip',
    name: 'flannel-ipv4',
    chains: [...chains, ...(more.chains ?? [])],
    rules: [...rules, ...(more.rules ?? [])],
    counters: more.counters ?? [],
  });
}

test('all of flannel’s, and the empty table of the other family', () => {
  const empty = table({ family: 'ip6', name: 'flannel-ipv6' });
  expect(findFlannelTables([flannelTable(), empty])).toEqual({
    removable: [flannelTable(), empty],
    kept: [],
  });
});

test.each<readonly [string, More, string]>([
  [
    'another rule',
    { rules: [rule('forward', [saddr.in(subnet), drop])] },
    'rule "ip saddr 10.244.1.0/24 drop" of chain "forward" is not flannel\'s',
  ],
  [
    'a rule with a comment',
    { rules: [rule('forward', [saddr.in(subnet), accept], { comment: 'mine' })] },
    'rule "ip saddr 10.244.1.0/24 accept comment "mine"" of chain "forward" is not flannel\'s',
  ],
  ['another chain', { chains: [chain('mine')] }, 'chain "mine" is not flannel\'s'],
  ['a counter', { counters: [counterObject('mine')] }, '"mine" is not flannel\'s'],
])('what is another’s keeps the whole table: %s', (_, more, why) => {
  expect(findFlannelTables([flannelTable(more)])).toEqual({
    removable: [],
    kept: [{ table: 'ip flannel-ipv4', why }],
  });
});

test('a chain of flannel’s name at another place', () => {
  const other = table({
    family: 'ip',
    name: 'flannel-ipv4',
    chains: [
      baseChain('forward', { type: 'filter', hook: 'forward', priority: priority.filter, policy: 'drop' }),
    ],
  });
  expect(findFlannelTables([other]).kept).toEqual([
    { table: 'ip flannel-ipv4', why: 'chain "forward" is not flannel\'s' },
  ]);
});
