import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { holdRefused, Refusal } from './hold-refused.ts';

const ports = Array.from({ length: 100 }, (_, i) => `p${i}`);

/** Refuses while a bad port is among them; `names` tells which, as iptables-nft does. */
function attempts(bad: ReadonlySet<string>, { names }: { readonly names: boolean }) {
  const seen: number[] = [];
  let isGood = false;
  const attempt = async (held: ReadonlySet<string>) => {
    const tried = ports.filter((port) => !held.has(port));
    seen.push(tried.length);
    const found = tried.find((port) => bad.has(port));
    isGood = found === undefined;
    if (found !== undefined)
      throw new Refusal(new Error('refused'), { port: names ? found : undefined, suspects: tried });
  };
  return { attempt, seen, isGood: () => isGood };
}

describe('holdRefused', () => {
  test('one attempt when nothing is refused', async () => {
    const { attempt, seen } = attempts(new Set(), { names: false });
    expect((await holdRefused(attempt)).size).toBe(0);
    expect(seen).toEqual([100]);
  });

  test('a port that is named is held at once', async () => {
    const { attempt, seen } = attempts(new Set(['p7', 'p70']), { names: true });
    expect([...(await holdRefused(attempt)).keys()]).toEqual(['p7', 'p70']);
    expect(seen).toEqual([100, 99, 98]);
  });

  test('one that is not named is found by halving', async () => {
    const { attempt, seen } = attempts(new Set(['p33']), { names: false });
    expect([...(await holdRefused(attempt)).keys()]).toEqual(['p33']);
    expect(seen.length).toBeLessThan(20);
  });

  test('what is no fault of the ports rejects with its cause', async () => {
    const attempt = async () => {
      throw new Refusal(new Error('no such table'), { port: undefined, suspects: ports });
    };
    await expect(holdRefused(attempt)).rejects.toThrow(/^no such table$/);
  });

  test('another failure passes', async () => {
    const attempt = async () => {
      throw new TypeError('stopped');
    };
    await expect(holdRefused(attempt)).rejects.toThrow(/stopped/);
  });

  test('ends with all bad ports held and the rest programmed, in a bounded number of attempts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(99), { maxLength: 30 }),
        fc.boolean(),
        async (numbers, names) => {
          const bad = new Set(numbers.map((number) => `p${number}`));
          const { attempt, seen, isGood } = attempts(bad, { names });
          const held = await holdRefused(attempt);
          expect(isGood()).toBe(true);
          for (const port of bad) expect(held.has(port)).toBe(true);
          expect(seen.length).toBeLessThanOrEqual(43);
          if (bad.size <= 3) expect(held.size).toBe(bad.size);
        },
      ),
    );
  });
});
