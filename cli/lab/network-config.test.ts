import { expect, test } from '@jest/globals';
import { decodeNetworkConfig } from '../../store/network-config.ts';
import { familiesOfLab, labNetworks } from './lab-networks.ts';
import { networkConfig, whyNotNetwork } from './network-config.ts';

const networksOf = (families: 'v4' | 'v6' | 'dual') =>
  familiesOfLab(families).map((family) => labNetworks[family]);

test.each([
  ['v4', '10.244.1.0/24', undefined],
  ['v6', undefined, 'fd00:10:244:1::/64'],
  ['dual', '10.244.1.0/24', 'fd00:10:244:1::/64'],
] as const)('agents read the configuration of %s', (families, first4, first6) => {
  const { ip4, ip6, backend } = decodeNetworkConfig(
    networkConfig({ backend: 'host-gw', networks: networksOf(families) }),
  );
  expect([ip4?.min, ip6?.min].map((one) => one?.toString())).toEqual([first4, first6]);
  expect(backend).toEqual({ kind: 'host-gw' });
});

test('of IPv4 alone it is flannel’s usual text', () => {
  expect(JSON.parse(networkConfig({ backend: 'vxlan', networks: networksOf('v4') }))).toEqual({
    Network: '10.244.0.0/16',
    Backend: { Type: 'vxlan' },
  });
});

test('what a backend cannot carry is told in the agent’s words', () => {
  expect(whyNotNetwork({ backend: 'vxlan', networks: networksOf('dual') })).toBeUndefined();
  expect(whyNotNetwork({ backend: 'ipip', networks: networksOf('v6') })).toContain('it carries IPv4 only');
});
