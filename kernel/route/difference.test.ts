import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { difference, layeredDifference, satisfies } from './difference.ts';
import { LayeredMap } from './layered-map.ts';

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

describe('layeredDifference', () => {
  const equal = (one: { a: number }, other: { a: number }) => one.a === other.a;
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const change = fc.record({
    map: fc.constantFrom('wanted' as const, 'actual' as const),
    key,
    value: fc.option(fc.nat(3)),
    fold: fc.boolean(),
  });

  test('finds what difference finds, whatever was compared before', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const compare = layeredDifference(equal);
        const maps = { wanted: new LayeredMap<{ a: number }>(), actual: new LayeredMap<{ a: number }>() };
        for (const { map, key: name, value, fold } of changes) {
          if (value === null) maps[map].delete(name);
          else maps[map].set(name, { a: value });
          if (fold) maps[map].replace(new Map(maps[map].snapshot()));
          const [wanted, actual] = [maps.wanted.snapshot(), maps.actual.snapshot()];
          expect(sorted(compare(wanted, actual))).toEqual(sorted(difference(wanted, actual, equal)));
        }
      }),
    );
  });

  function sorted(found: ReturnType<typeof difference<{ a: number }>>): readonly string[] {
    return Object.entries(found).flatMap(([kind, list]) =>
      list.map((item: unknown) => `${kind} ${JSON.stringify(item)}`).toSorted(),
    );
  }

  test('compares unchanged objects once', () => {
    let asked = 0;
    const compare = layeredDifference<{ a: number }>((one, other) => {
      asked += 1;
      return equal(one, other);
    });
    const base = new Map(Array.from({ length: 10 }, (_, i) => [`${i}`, { a: i }] as const));
    const wanted = new LayeredMap<{ a: number }>(base);
    const actual = new LayeredMap<{ a: number }>(new Map(base));
    compare(wanted.snapshot(), actual.snapshot());
    expect(asked).toBe(10);
    wanted.set('3', { a: 33 });
    expect(compare(wanted.snapshot(), actual.snapshot()).changed).toEqual([
      { wanted: { a: 33 }, actual: { a: 3 } },
    ]);
    expect(asked).toBe(11);
  });
});
