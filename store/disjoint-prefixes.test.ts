import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { DisjointPrefixes } from './disjoint-prefixes.ts';

describe('DisjointPrefixes', () => {
  test('finds an overlap exactly when looking at all of them finds one', () => {
    const network = fc
      .record({ last: fc.nat({ max: 255 }), length: fc.integer({ min: 24, max: 32 }), six: fc.boolean() })
      .map(({ last, length, six }) =>
        new Prefix(
          IpAddress.parse(six ? 'fd00::' : '10.0.0.0').plus(last),
          six ? length + 96 : length,
        ).network(),
      );
    fc.assert(
      fc.property(fc.array(network, { maxLength: 40 }), (networks) => {
        const set = new DisjointPrefixes<string>();
        let added: Prefix[] = [];
        for (const prefix of networks) {
          const expected = added.some((other) => other.overlaps(prefix));
          const found = set.overlapping(prefix);
          expect(found !== undefined).toBe(expected);
          if (found === undefined) {
            set.add(prefix, String(prefix));
            added.push(prefix);
          } else {
            expect(found.prefix.overlaps(prefix)).toBe(true);
            expect(found.owner).toBe(String(found.prefix));
            expect(() => set.add(prefix, '')).toThrow(
              `Cannot add "${prefix}": it overlaps "${found.prefix}"`,
            );
            // One that is in the way goes, unless only a part of it was named.
            expect(set.remove(prefix)).toBe(found.prefix.equals(prefix));
            added = added.filter((other) => !other.equals(prefix));
          }
        }
      }),
    );
  });
});
