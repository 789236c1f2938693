import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyExpression } from '../../test/nft/arbitrary.ts';
import { examples } from '../../test/nft/example-tables.ts';
import { DecodeError } from '../netlink/bytes.ts';
import { readExpressions } from './expression-read.ts';
import { writeExpressions } from './expression-write.ts';
import type { Expression } from './expressions.ts';
import type { AnonymousSet } from './set.ts';

const noNames = () => {
  throw new TypeError('no anonymous sets here');
};

describe('expressions', () => {
  test('of every kind are encoded, decoded and encoded again', () => {
    fc.assert(
      fc.property(fc.array(anyExpression, { maxLength: 8 }), (expressions) => {
        const written = writeExpressions(expressions, noNames);
        const back = readExpressions(written, () => undefined);
        expect(back).toEqual(expressions);
        expect(writeExpressions(back, noNames)).toEqual(written);
      }),
    );
  });

  test('of the examples come back, with their anonymous sets', () => {
    for (const { table } of examples) {
      for (const rule of [...table.rules.values()].flat()) {
        const sets = new Map<string, AnonymousSet>();
        const written = writeExpressions(rule.expressions, (set) => {
          const name = `__set${sets.size}`;
          sets.set(name, set);
          return { name, id: sets.size };
        });
        expect(readExpressions(written, (name) => sets.get(name))).toEqual(rule.expressions);
      }
    }
  });

  test('name the registers as the kernel does', () => {
    const hex = (to: number) =>
      Buffer.from(writeExpressions([{ kind: 'meta', key: 'mark', to }], noNames)).toString('hex');
    // NFTA_META_DREG: 1 is the first 16 bytes, 9 the second word, 4 the last 16 bytes.
    expect(hex(0)).toContain('0800010000000001');
    expect(hex(1)).toContain('0800010000000009');
    expect(hex(12)).toContain('0800010000000004');
    expect(() => hex(16)).toThrow(RangeError);
  });

  test('of a set that packets fill have the flag of several only where there are several: old kernels refuse it', () => {
    const counter = { kind: 'counter' } as const;
    const hex = (expressions: readonly Expression[]) => {
      const update = { kind: 'dynset', set: 'recent', op: 'update', key: 0, expressions } as const;
      return Buffer.from(writeExpressions([update], noNames)).toString('hex');
    };
    // NFTA_DYNSET_FLAGS: NFT_DYNSET_F_EXPR.
    const flag = '0800090000000002';
    expect(hex([counter])).not.toContain(flag);
    expect(hex([counter, counter])).toContain(flag);
  });

  test('that are garbage throw nothing but DecodeError', () => {
    const whole = examples
      .flatMap(({ table }) => [...table.rules.values()].flat())
      .map(({ expressions }) => writeExpressions(expressions, () => ({ name: '__set1', id: 1 })));
    fc.assert(
      fc.property(
        fc.constantFrom(...whole),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (bytes, changes) => {
          const broken = Uint8Array.from(bytes);
          for (const [at, value] of changes) broken[at % broken.length] = value;
          onlyDecodeError(() => readExpressions(broken, () => undefined));
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
        onlyDecodeError(() => readExpressions(bytes, () => undefined)),
      ),
    );
  });
});

function onlyDecodeError(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}
