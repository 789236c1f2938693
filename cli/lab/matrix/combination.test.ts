import { expect, test } from '@jest/globals';
import { combinationName, combinations } from './combination.ts';

test('all that there are, in the order of the table', () => {
  const names = combinations().map(combinationName);
  expect(new Set(names).size).toBe(names.length);
  expect(names.slice(0, 4)).toEqual([
    'vxlan, v4, nftables',
    'vxlan, v4, iptables',
    'vxlan, v4, ipvs',
    'vxlan, v6, nftables',
  ]);
});

test('a filter leaves the others out, and what it does not name whole', () => {
  expect(
    combinations({ backends: ['host-gw'], families: ['dual', 'v4'], proxyModes: ['nftables'] }).map(
      combinationName,
    ),
  ).toEqual(['host-gw, v4, nftables', 'host-gw, dual, nftables']);
  expect(combinations({ backends: ['host-gw'] })).toHaveLength(9);
});
