import { describe, expect, test } from '@jest/globals';
import { Prefix } from '../../net/prefix.ts';
import { formatSubnetEnv, parseSubnetEnv, type SubnetEnv } from './subnet-env.ts';

const ip4 = { networks: [Prefix.parse('10.244.0.0/16')], gateway: Prefix.parse('10.244.1.1/24') };
const ip6 = { networks: [Prefix.parse('fd00::/56')], gateway: Prefix.parse('fd00:0:0:1::1/64') };

const cases: readonly (readonly [string, SubnetEnv, string])[] = [
  [
    'IPv4',
    { ip4, ip6: undefined, mtu: 1450, masquerade: true },
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  ],
  [
    'both families',
    { ip4, ip6, mtu: 1430, masquerade: false },
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_NETWORK=fd00::/56\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n',
  ],
  [
    'IPv6',
    { ip4: undefined, ip6, mtu: 1430, masquerade: true },
    'FLANNEL_IPV6_NETWORK=fd00::/56\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n',
  ],
];

test.each(cases)('%s: to the byte, and back', (_, env, text) => {
  expect(formatSubnetEnv(env)).toBe(text);
  expect(parseSubnetEnv(text)).toEqual(env);
});

test('reads what others write: several networks, quotes, unknown variables, no last line end', () => {
  const text =
    'X=1\nFLANNEL_NETWORK="10.244.0.0/16,10.245.0.0/16"\nexport FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450';
  expect(parseSubnetEnv(text)).toEqual({
    ip4: { networks: [Prefix.parse('10.244.0.0/16'), Prefix.parse('10.245.0.0/16')], gateway: ip4.gateway },
    ip6: undefined,
    mtu: 1450,
    masquerade: false,
  });
});

describe('what is missing or wrong is named', () => {
  const [, , good] = cases[0] ?? ['', undefined, ''];
  test.each([
    ['', 'FLANNEL_SUBNET is missing'],
    [good.slice(0, 51), 'FLANNEL_SUBNET is "10.244"'],
    [good.replace('10.244.0.0/16', 'x'), 'FLANNEL_NETWORK is "x"'],
    [good.replace('1450', '-1'), 'FLANNEL_MTU is "-1"'],
    [good.replace('FLANNEL_MTU=1450\n', ''), 'FLANNEL_MTU is missing'],
    [good.replace('true', 'maybe'), 'FLANNEL_IPMASQ is "maybe"'],
  ])('%j', (text, message) => {
    expect(() => parseSubnetEnv(text)).toThrow(`Cannot read subnet.env: ${message}`);
  });
});
