import { describe, expect, test } from '@jest/globals';
import { comparePaired, median } from './paired.ts';

describe('median', () => {
  test.each([
    [[3], 3],
    [[5, 1, 3], 3],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100, 1], 9.5],
  ])('of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  test('of nothing is refused', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('comparePaired', () => {
  const options = { runs: 3, signal: new AbortController().signal };

  test('runs both in turn, a warm-up first, and prepares outside of the clock', async () => {
    const calls: string[] = [];
    const row = await comparePaired(
      {
        case: 'turns',
        per: 10,
        ours: {
          prepare: () => void calls.push('p'),
          run: () => void calls.push('A'),
          after: () => void calls.push('a'),
        },
        peer: { name: 'other', run: () => void calls.push('B') },
      },
      options,
    );
    expect(calls.join('')).toBe('pAaB'.repeat(4));
    expect(row).toMatchObject({ case: 'turns', unit: 'ms', peerName: 'other' });
    expect(row.ratio).toBeCloseTo(row.ours / (row.peer ?? 0), 10);
  });

  test('has nulls where there is no peer', async () => {
    const row = await comparePaired({ case: 'alone', unit: 'us', ours: { run: () => undefined } }, options);
    expect(row).toMatchObject({ case: 'alone', unit: 'us', peer: null, peerName: null, ratio: null });
  });

  test('stops when told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(
      comparePaired({ case: 'x', ours: { run: () => undefined } }, { runs: 1, signal }),
    ).rejects.toThrow('enough');
  });
});
