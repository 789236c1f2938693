import { describe, expect, test } from '@jest/globals';
import { percentile99, rowsOf, sampleInTurn } from './compare-in-turn.ts';

const { signal } = new AbortController();

describe('sampleInTurn', () => {
  test('goes round, and the first round does not count', async () => {
    const order: string[] = [];
    let next = 0;
    const way = (name: string, times = 1) => ({
      peer: name,
      times,
      sample() {
        order.push(name);
        return next++;
      },
    });
    const samples = await sampleInTurn([way('a', 2), way('b')], { runs: 2, signal });
    expect(order.join('')).toBe('aabaabaab');
    expect(samples).toEqual([
      { peer: 'a', values: [3, 4, 6, 7] },
      { peer: 'b', values: [5, 8] },
    ]);
  });

  test('ends when it is stopped', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(sampleInTurn([{ sample: () => 1 }], { runs: 1, signal: stopped })).rejects.toThrow(
      /stopped/,
    );
  });
});

test('one row a peer, with our median and the ratio', () => {
  const samples = [
    { peer: undefined, values: [1, 2, 9] },
    { peer: 'slow', values: [4, 4, 4] },
    { peer: 'slower', values: [8] },
  ];
  expect(rowsOf('load', samples, { unit: 'us', scale: 1000 })).toEqual([
    { case: 'load', ours: 2000, unit: 'us', peer: 4000, peerName: 'slow', ratio: 0.5 },
    { case: 'load', ours: 2000, unit: 'us', peer: 8000, peerName: 'slower', ratio: 0.25 },
  ]);
  expect(rowsOf('load', samples.slice(0, 1))).toEqual([
    { case: 'load', ours: 2, unit: 'ms', peer: null, peerName: null, ratio: null },
  ]);
});

test('the worst but one in a hundred', () => {
  expect(percentile99([3, 1, 2])).toBe(3);
  expect(percentile99(Array.from({ length: 200 }, (_, i) => i + 1))).toBe(198);
});
