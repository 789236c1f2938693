import { expect, test } from '@jest/globals';
import { compareCycle } from './paired-cycle.ts';

const signal = new AbortController().signal;

test('both go through the cycle in turn, the first time unmeasured', async () => {
  const calls: string[] = [];
  const way = (letter: string, times: readonly number[]) => async () => {
    calls.push(letter);
    return times;
  };
  const rows = await compareCycle(
    [
      {
        case: 'add',
        each: 'add one',
        ours: way('A', [1, 2, 9]),
        peer: { name: 'other', way: way('B', [4]) },
      },
      { case: 'delete', ours: way('a', []), peer: { name: 'other', way: way('b', []) } },
      { case: 'only ours', ours: way('o', []) },
    ],
    { runs: 2, signal },
  );
  expect(calls.join('')).toBe('AaoBb'.repeat(3));
  expect(rows).toMatchObject([
    { case: 'add', unit: 'ms', peerName: 'other' },
    { case: 'add one', ours: 2, peer: 4, ratio: 0.5 },
    { case: 'delete', peerName: 'other' },
    { case: 'only ours', peer: null, peerName: null, ratio: null },
  ]);
  for (const { ours } of rows) expect(ours).toBeGreaterThanOrEqual(0);
});

test('stops when told to', async () => {
  const stop = new AbortController();
  const stopping = async () => {
    stop.abort(new Error('enough'));
    return [];
  };
  const steps = [{ case: 'x', ours: stopping }];
  await expect(compareCycle(steps, { runs: 1, signal: stop.signal })).rejects.toThrow('enough');
});
