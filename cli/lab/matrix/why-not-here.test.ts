import { expect, test } from '@jest/globals';
import type { FeatureAnswer, FeatureState, Use } from '../../../agent/doctor/features/feature.ts';
import type { Combination } from './combination.ts';
import { whyNotHere } from './why-not-here.ts';

function answer(name: string, use: Use, state: FeatureState = 'no'): FeatureAnswer {
  const why = state === 'yes' ? '' : 'operation not supported';
  return { name, group: 'Other', title: `title of ${name}`, uses: [use], state, why, remedy: '' };
}

const ipvs = { kind: 'proxy-mode', name: 'ipvs' } as const;
const nftables = { kind: 'proxy-mode', name: 'nftables' } as const;
const vxlan: Combination = { backend: 'vxlan', families: 'v4', proxyMode: 'nftables' };

test('where nothing is missing, there is no reason', () => {
  expect(whyNotHere(vxlan, [answer('veth', { kind: 'node' }, 'yes')])).toBeUndefined();
});

test('what a combination does not need may be missing', () => {
  const answers = [
    answer('ip_vs', ipvs),
    answer('ipip', { kind: 'backend', name: 'ipip' }),
    answer('ifb', { kind: 'some', name: 'pods with limits' }),
    answer('proxy-nftables-ipv6', nftables),
    answer('table', { kind: 'masquerade', name: 'iptables' }),
  ];
  expect(whyNotHere(vxlan, answers)).toBeUndefined();
  const reason = (...names: readonly string[]) =>
    `missing here: ${names.map((name) => `title of ${name}`).join(', ')}`;
  expect(whyNotHere({ ...vxlan, proxyMode: 'ipvs' }, answers)).toBe(reason('ip_vs'));
  expect(whyNotHere({ ...vxlan, backend: 'ipip' }, answers)).toBe(reason('ipip'));
  expect(whyNotHere({ ...vxlan, backend: 'ipip', proxyMode: 'ipvs' }, answers)).toBe(reason('ipip'));
  expect(whyNotHere({ ...vxlan, families: 'v6' }, answers)).toBe(reason('proxy-nftables-ipv6'));
  expect(whyNotHere({ ...vxlan, families: 'dual' }, answers)).toBe(reason('proxy-nftables-ipv6'));
});

test('what every node needs, every combination does', () => {
  const missing = [answer('veth', { kind: 'node' })];
  expect(whyNotHere({ backend: 'host-gw', families: 'v6', proxyMode: 'iptables' }, missing)).toContain(
    'veth',
  );
});

test('what could not be probed is tried', () => {
  expect(whyNotHere(vxlan, [answer('veth', { kind: 'node' }, 'unknown')])).toBeUndefined();
});

test('a family that the backend cannot carry is told in the agent’s words', () => {
  expect(whyNotHere({ ...vxlan, backend: 'ipip', families: 'dual' }, [])).toContain(
    'Cannot run backend "ipip"',
  );
});

test('that a mode does not work is told where nothing else says why', () => {
  const whole = answer('proxy-ipvs-ipv4', ipvs);
  const combination = { ...vxlan, proxyMode: 'ipvs' } as const;
  expect(whyNotHere(combination, [whole])).toBe('missing here: title of proxy-ipvs-ipv4');
  const parts = [answer('ip_vs', ipvs), whole, answer('ipset', ipvs)];
  expect(whyNotHere(combination, parts)).toBe('missing here: title of ip_vs, title of ipset');
});
