import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { candidates, rangeOf, rangeSets, rangeText, setText } from './address-range.ts';

interface Given {
  readonly start?: string;
  readonly end?: string;
  readonly gateway?: string;
}
const address = (text: string | undefined) => (text === undefined ? undefined : IpAddress.parse(text));
const options = (subnet: string, { start, end, gateway }: Given = {}) => ({
  subnet: Prefix.parse(subnet),
  rangeStart: address(start),
  rangeEnd: address(end),
  gateway: address(gateway),
});
const range = (subnet: string, given?: Given) => {
  const { subnet: prefix, ...limits } = options(subnet, given);
  return rangeOf(prefix, limits);
};

test.each([
  ['10.244.1.0/24', {}, '10.244.1.1-10.244.1.254', '10.244.1.1'],
  ['10.244.1.0/30', {}, '10.244.1.1-10.244.1.2', '10.244.1.1'],
  ['fd00:1::/64', {}, 'fd00:1::1-fd00:1::ffff:ffff:ffff:ffff', 'fd00:1::1'],
  ['fd00:1::/126', { gateway: 'fd00:1::3' }, 'fd00:1::1-fd00:1::3', 'fd00:1::3'],
  ['10.1.0.0/16', { start: '10.1.5.0', end: '10.1.5.9' }, '10.1.5.0-10.1.5.9', '10.1.0.1'],
  ['10.1.0.0/16', { start: '10.1.0.0', end: '10.1.255.255' }, '10.1.0.0-10.1.255.255', '10.1.0.1'],
])('%s with %j is %s', (subnet, given, text, gateway) => {
  expect(rangeText(range(subnet, given))).toBe(text);
  expect(String(range(subnet, given).gateway)).toBe(gateway);
});

test.each([
  ['10.244.1.0/31', {}, 'Cannot give out addresses of "10.244.1.0/31": it is smaller than /30'],
  ['fd00::/127', {}, 'smaller than /126'],
  ['10.244.1.9/24', {}, '"10.244.1.9/24": it has host bits, want "10.244.1.0/24"'],
  ['10.244.1.0/24', { gateway: '10.244.2.1' }, 'gateway "10.244.2.1" is not in it'],
  ['10.244.1.0/24', { start: '10.244.0.9' }, 'rangeStart "10.244.0.9" is not in it'],
  ['10.244.1.0/24', { end: 'fd00::1' }, 'rangeEnd "fd00::1" is not in it'],
  [
    '10.244.1.0/24',
    { start: '10.244.1.9', end: '10.244.1.8' },
    'rangeStart "10.244.1.9" is after rangeEnd "10.244.1.8"',
  ],
])('%s with %j is refused: %s', (subnet, given, why) => {
  expect(() => range(subnet, given)).toThrow(RangeError);
  expect(() => range(subnet, given)).toThrow(why);
});

describe('the sets of a network', () => {
  test('two halves of a subnet, and another family', () => {
    const sets = rangeSets([
      [options('10.0.0.0/24', { end: '10.0.0.9' }), options('10.0.0.0/24', { start: '10.0.0.20' })],
      [options('fd00::/64')],
    ]);
    expect(sets.map(setText)).toEqual([
      '10.0.0.1-10.0.0.9,10.0.0.20-10.0.0.254',
      'fd00::1-fd00::ffff:ffff:ffff:ffff',
    ]);
  });

  test.each([
    [[[]], 'range set 0: it is empty'],
    [
      [[options('10.0.0.0/24'), options('fd00::/64')]],
      'range set 0: "10.0.0.0/24" and "fd00::/64" are of different families',
    ],
    [
      [[options('10.0.0.0/24', { end: '10.0.0.9' }), options('10.0.0.0/24', { start: '10.0.0.9' })]],
      '10.0.0.1-10.0.0.9 and 10.0.0.9-10.0.0.254 of range set 0 overlap',
    ],
    [
      [[options('10.0.0.0/24')], [options('fd00::/64')], [options('10.0.0.0/16')]],
      '10.0.0.1-10.0.0.254 and 10.0.0.1-10.0.255.254 of range sets 0 and 2 overlap',
    ],
    [[[options('10.0.0.0/31')]], 'smaller than /30'],
  ])('%#: refused', (sets, why) => {
    expect(() => rangeSets(sets)).toThrow(RangeError);
    expect(() => rangeSets(sets)).toThrow(why);
  });
});

describe('candidates come in the order of host-local', () => {
  const order = (sets: ReturnType<typeof rangeSets>, last?: string, place = 0) =>
    [...candidates({ sets, place }, address(last))]
      .map((one) => String(one).replace('10.0.0.', ''))
      .join(' ');
  const small = [[range('10.0.0.0/29')]];
  const two = rangeSets([
    [
      options('10.0.0.0/24', { start: '10.0.0.10', end: '10.0.0.12' }),
      options('10.0.0.0/24', { start: '10.0.0.20', end: '10.0.0.22', gateway: '10.0.0.11' }),
    ],
    [options('10.0.0.0/24', { start: '10.0.0.30', end: '10.0.0.32', gateway: '10.0.0.21' })],
  ]);

  test.each([
    [undefined, '2 3 4 5 6'],
    ['10.0.0.3', '4 5 6 2 3'],
    ['10.0.0.6', '2 3 4 5 6'],
    ['10.0.0.1', '2 3 4 5 6'],
    // Of another subnet, or never given out by us.
    ['10.9.0.3', '2 3 4 5 6'],
    ['10.0.0.7', '2 3 4 5 6'],
    ['fd00::2', '2 3 4 5 6'],
  ])('after %s', (last, expected) => {
    expect(order(small, last)).toBe(expected);
  });

  test('a gateway in the middle is left out', () => {
    expect(order([[range('10.0.0.0/29', { gateway: '10.0.0.3' })]], '10.0.0.2')).toBe('4 5 6 1 2');
  });

  test.each([
    [undefined, '10 12 20 22'],
    ['10.0.0.10', '12 20 22 10'],
    ['10.0.0.12', '20 22 10 12'],
    ['10.0.0.20', '22 10 12 20'],
    ['10.0.0.22', '10 12 20 22'],
    ['10.0.0.15', '10 12 20 22'],
  ])('of two ranges after %s, without the gateways of all ranges', (last, expected) => {
    expect(order(two, last)).toBe(expected);
    expect(order(two, '10.0.0.31', 1)).toBe('32 30 31');
  });
});
