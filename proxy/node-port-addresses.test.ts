import { expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { resolveNodePortAddresses } from './node-port-addresses.ts';
import type { NodePortAddress } from './proxy-options.ts';

const nodeIps = {
  4: ['192.168.0.2', '127.0.0.1', '10.0.0.5', '10.0.0.4', '203.0.113.9'],
  6: ['fd00::2', '::1', '2001:db8::7', 'fe80::1'],
};
const primary = { 4: '192.168.0.2', 6: 'fd00::2' };

type Case = readonly [
  asked: string,
  of4: readonly [ips: string, localhost: boolean],
  of6: readonly [ips: string, localhost: boolean],
];

const cases: readonly Case[] = [
  ['', ['all', true], ['all', false]],
  ['0.0.0.0/0', ['all', true], ['all', false]],
  ['::/0', ['all', true], ['all', false]],
  ['0.0.0.0/0 10.0.0.0/8', ['all', true], ['all', false]],
  ['10.0.0.0/8', ['10.0.0.4 10.0.0.5', false], ['all', false]],
  ['10.0.0.0/8 2001:db8::/32', ['10.0.0.4 10.0.0.5', false], ['2001:db8::7', false]],
  ['10.0.0.4/32 10.0.0.0/8', ['10.0.0.4 10.0.0.5', false], ['all', false]],
  ['172.16.0.0/12', ['', false], ['all', false]],
  ['fd00::/8', ['all', true], ['fd00::2', false]],
  ['127.0.0.0/8', ['', true], ['all', false]],
  ['127.0.0.1/32 10.0.0.4/32', ['10.0.0.4', true], ['all', false]],
  ['0.0.0.0/1', ['10.0.0.4 10.0.0.5', true], ['all', false]],
  ['::1/128', ['all', true], ['', false]],
  ['primary', ['192.168.0.2', false], ['fd00::2', false]],
  ['localhost', ['', true], ['', false]],
  ['primary localhost', ['192.168.0.2', true], ['fd00::2', false]],
  ['all', ['all', true], ['all', false]],
  ['all primary', ['all', true], ['all', false]],
  ['primary 10.0.0.0/30', ['192.168.0.2', false], ['fd00::2', false]],
  ['primary 10.0.0.0/8', ['10.0.0.4 10.0.0.5 192.168.0.2', false], ['fd00::2', false]],
];

test.each(cases)('node ports on "%s"', (asked, of4, of6) => {
  const addresses = asked.split(' ').flatMap((text) => (text === '' ? [] : [asAddress(text)]));
  for (const [family, [ips, localhost]] of [
    [4, of4],
    [6, of6],
  ] as const) {
    const found = resolveNodePortAddresses({
      addresses,
      family,
      nodeIps: nodeIps[family].map((text) => IpAddress.parse(text)),
      primary: IpAddress.parse(primary[family]),
    });
    const { nodePortIps } = found;
    expect(nodePortIps === 'all' ? 'all' : nodePortIps.join(' ')).toBe(ips);
    expect(found.localhost).toBe(localhost);
  }
});

test('a node without primary address of the family has no node ports there', () => {
  const found = resolveNodePortAddresses({
    addresses: [{ kind: 'primary' }],
    family: 6,
    nodeIps: [],
    primary: undefined,
  });
  expect(found).toEqual({ nodePortIps: [], localhost: false });
});

function asAddress(text: string): NodePortAddress {
  if (text === 'all' || text === 'primary' || text === 'localhost') return { kind: text };
  return { kind: 'prefix', prefix: Prefix.parse(text) };
}
