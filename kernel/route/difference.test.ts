import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { difference, remembering, satisfies } from './difference.ts';

const ip = IpAddress.parse;

describe('satisfies', () => {
  test.each<[string, unknown, unknown, boolean]>([
    ['the same number', 1, 1, true],
    ['another number', 1, 2, false],
    ['a wish for nothing in particular', undefined, 7, true],
    ['a field left open', { a: 1, b: undefined }, { a: 1, b: 2 }, true],
    ['a field that is not there', { a: 1 }, {}, false],
    ['a field more than wanted', { a: 1 }, { a: 1, b: 2 }, true],
    [
      'equal addresses',
      { at: ip('192.0.2.1') },
      { at: IpAddress.fromBytes(Uint8Array.of(192, 0, 2, 1)) },
      true,
    ],
    ['other addresses', ip('192.0.2.1'), ip('192.0.2.2'), false],
    ['values of another class', Prefix.parse('192.0.2.1/32'), ip('192.0.2.1'), false],
    ['a value and nothing', Mac.parse('02:00:00:00:00:01'), undefined, false],
    ['equal lists', [{ a: 1 }, { a: 2 }], [{ a: 1, b: 1 }, { a: 2 }], true],
    ['a longer list', [1], [1, 2], false],
    ['a list and an object', [1], { 0: 1, length: 1 }, false],
    ['null and an object', null, {}, false],
  ])('%s', (_, wanted, actual, expected) => {
    expect(satisfies(wanted, actual)).toBe(expected);
  });

  test('ignores fields by name, at any depth', () => {
    const ignore = new Set(['index']);
    expect(
      satisfies({ index: 1, deep: [{ index: 2, a: 3 }] }, { index: 4, deep: [{ a: 3 }] }, { ignore }),
    ).toBe(true);
    expect(satisfies({ deep: [{ index: 2, a: 3 }] }, { deep: [{ a: 4 }] }, { ignore })).toBe(false);
  });
});

test('difference tells missing, changed and surplus apart', () => {
  const wanted = new Map([
    ['same', { a: 1 }],
    ['changed', { a: 2 }],
    ['missing', { a: 3 }],
  ]);
  const actual = new Map([
    ['surplus', { a: 9 }],
    ['changed', { a: 1 }],
    ['same', { a: 1 }],
  ]);
  expect(difference(wanted, actual, (one, other) => satisfies(one, other))).toEqual({
    missing: [{ a: 3 }],
    changed: [{ wanted: { a: 2 }, actual: { a: 1 } }],
    surplus: [['surplus', { a: 9 }]],
  });
});

test('remembering asks once for a pair that is equal, and always for one that is not', () => {
  let asked = 0;
  const equal = remembering((wanted: { a: number }, actual: { a: number }) => {
    asked += 1;
    return wanted.a === actual.a;
  });
  const wanted = { a: 1 };
  const actual = { a: 1 };
  expect([equal(wanted, actual), equal(wanted, actual), asked]).toEqual([true, true, 1]);
  expect([equal(wanted, { a: 2 }), equal(wanted, { a: 2 }), asked]).toEqual([false, false, 3]);
  expect([equal(wanted, { a: 1 }), asked]).toEqual([true, 4]);
});
