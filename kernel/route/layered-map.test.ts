import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LayeredMap, selection } from './layered-map.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const action = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.nat() }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  fc.record({ kind: fc.constant('snapshot' as const) }),
);

describe('LayeredMap', () => {
  test('is a map, and its snapshots never change', () => {
    fc.assert(
      fc.property(fc.dictionary(key, fc.nat()), fc.array(action, { maxLength: 40 }), (first, actions) => {
        const base = new Map(Object.entries(first));
        const map = new LayeredMap(base);
        const model = new Map(base);
        const taken: (readonly [ReadonlyMap<string, number>, ReadonlyMap<string, number>])[] = [];
        for (const each of actions) {
          if (each.kind === 'set') {
            map.set(each.key, each.value);
            model.set(each.key, each.value);
          } else if (each.kind === 'delete') {
            map.delete(each.key);
            model.delete(each.key);
          } else {
            taken.push([map.snapshot(), new Map(model)]);
          }
          for (const name of ['a', 'b', 'c', 'd', 'e']) {
            expect(map.get(name)).toBe(model.get(name));
            expect(map.has(name)).toBe(model.has(name));
          }
        }
        for (const [snapshot, expected] of [...taken, [map.snapshot(), model] as const]) {
          expect(new Map(snapshot)).toEqual(expected);
          expect(snapshot.size).toBe(expected.size);
          expect([...snapshot.values()].toSorted()).toEqual([...expected.values()].toSorted());
          for (const name of snapshot.keys()) expect(snapshot.get(name)).toBe(expected.get(name));
          const seen: string[] = [];
          snapshot.forEach((_, name) => {
            seen.push(name);
          });
          expect(seen.toSorted()).toEqual([...expected.keys()].toSorted());
        }
      }),
    );
  });

  test('folds a thick layer into a new base, and keeps what was taken before', () => {
    const map = new LayeredMap<number>(new Map([['x', -1]]));
    const before = map.snapshot();
    for (let i = 0; i < 1000; i++) map.set(`${i}`, i);
    map.delete('x');
    expect(map.snapshot().size).toBe(1000);
    expect(map.snapshot().has('x')).toBe(false);
    expect([...before]).toEqual([['x', -1]]);
    map.replace(new Map([['y', 1]]));
    expect([...map.snapshot()]).toEqual([['y', 1]]);
  });

  test('a selection is what a filter finds', () => {
    const isEven = (value: number): boolean => value % 2 === 0;
    const even = selection(isEven);
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.option(fc.nat(9)), fc.boolean())), (changes) => {
        const map = new LayeredMap<number>();
        for (const [name, value, fold] of changes) {
          if (value === null) map.delete(name);
          else map.set(name, value);
          if (fold) map.replace(new Map(map.snapshot()));
          const found = even(map.snapshot());
          expect(found.toSorted()).toEqual([...map.snapshot().values()].filter(isEven).toSorted());
        }
      }),
    );
  });
});
