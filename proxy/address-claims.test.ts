import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Claimant, compareClaimants, createClaims } from './address-claims.ts';

const claimant = (service: string, createdAt?: number, index = 0): Claimant => ({
  service,
  createdAt,
  index,
});

test('the first holds it: by creation, then by name, then by place; an unknown creation is last', () => {
  const inOrder = [
    claimant('ns/z', 1),
    claimant('ns/a', 2, 0),
    claimant('ns/a', 2, 1),
    claimant('ns/b', 2),
    claimant('ns/a'),
    claimant('ns/c'),
  ];
  expect(inOrder.toReversed().sort(compareClaimants)).toEqual(inOrder);
});

test('who has lost it gets it at once when the holder goes', () => {
  const claims = createClaims();
  const [first, second, third] = [claimant('ns/a', 1), claimant('ns/b', 2), claimant('ns/c', 3)];
  claims.claim('x', second);
  claims.claim('x', third);
  expect([claims.holder('x'), claims.contested]).toEqual([second, 1]);
  expect([...claims.takeAffected()]).toEqual([]);

  claims.claim('x', first);
  expect(claims.holder('x')).toEqual(first);
  expect([...claims.takeAffected()].sort()).toEqual(['ns/a', 'ns/b', 'ns/c']);

  claims.release('x', second);
  expect([...claims.takeAffected()]).toEqual([]);
  claims.release('x', first);
  expect([claims.holder('x'), claims.contested]).toEqual([third, 0]);
  expect([...claims.takeAffected()]).toEqual(['ns/c']);

  claims.release('x', first);
  claims.release('x', third);
  expect(claims.holder('x')).toBeUndefined();
});

test('the order of claims and releases does not matter', () => {
  const one = fc.record({
    service: fc.constantFrom('ns/a', 'ns/b', 'ns/c'),
    createdAt: fc.constantFrom(undefined, 1, 2),
    index: fc.nat(2),
  });
  const several = fc.uniqueArray(one, { selector: ({ service, index }) => `${service} ${index}` });
  fc.assert(
    fc.property(several, fc.array(fc.nat(20)), (all, picks) => {
      const claims = createClaims();
      const there = new Set<Claimant>();
      for (const pick of picks) {
        const by = all[pick % Math.max(1, all.length)];
        if (by === undefined) continue;
        if (there.delete(by)) claims.release(7, by);
        else {
          claims.claim(7, by);
          there.add(by);
        }
        expect(claims.holder(7)).toEqual([...there].sort(compareClaimants)[0]);
        expect(claims.contested).toBe(there.size > 1 ? 1 : 0);
      }
    }),
  );
});
