import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { candidates, isInRange, rangeOf, rangeText } from './address-range.ts';

const range = (subnet: string, gateway: string) => rangeOf(Prefix.parse(subnet), IpAddress.parse(gateway));
const order = (subnet: string, gateway: string, last?: string) =>
  [...candidates(range(subnet, gateway), last === undefined ? undefined : IpAddress.parse(last))].join(' ');

test.each([
  ['10.244.1.0/24', '10.244.1.1', '10.244.1.1-10.244.1.254'],
  ['10.244.1.0/30', '10.244.1.1', '10.244.1.1-10.244.1.2'],
  ['fd00:1::/64', 'fd00:1::1', 'fd00:1::1-fd00:1::ffff:ffff:ffff:ffff'],
  ['fd00:1::/126', 'fd00:1::1', 'fd00:1::1-fd00:1::3'],
])('%s with gateway %s is %s', (subnet, gateway, text) => {
  expect(rangeText(range(subnet, gateway))).toBe(text);
});

test.each([
  ['10.244.1.0/31', '10.244.1.0', 'smaller than /30'],
  ['fd00::/127', 'fd00::1', 'smaller than /126'],
  ['10.244.1.0/24', '10.244.2.1', 'gateway "10.244.2.1" is not in it'],
])('%s with gateway %s is refused: %s', (subnet, gateway, why) => {
  expect(() => range(subnet, gateway)).toThrow(why);
});

describe('candidates come in the order of host-local', () => {
  test.each([
    [undefined, '10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6'],
    ['10.0.0.3', '10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.2 10.0.0.3'],
    ['10.0.0.6', '10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6'],
    // Of another subnet, or never given out by us.
    ['10.9.0.3', '10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6'],
    ['10.0.0.7', '10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6'],
    ['10.0.0.1', '10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6'],
  ])('after %s', (last, expected) => {
    expect(order('10.0.0.0/29', '10.0.0.1', last)).toBe(expected);
  });

  test('a gateway in the middle is left out', () => {
    expect(order('10.0.0.0/29', '10.0.0.3', '10.0.0.2')).toBe('10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.1 10.0.0.2');
  });
});

test.each([
  ['10.0.0.0', false],
  ['10.0.0.1', false],
  ['10.0.0.2', true],
  ['10.0.0.6', true],
  ['10.0.0.7', false],
  ['fd00::2', false],
])('%s is in the range of 10.0.0.0/29: %s', (address, expected) => {
  expect(isInRange(range('10.0.0.0/29', '10.0.0.1'), IpAddress.parse(address))).toBe(expected);
});
