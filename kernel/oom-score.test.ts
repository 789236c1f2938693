import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { setOomScore } from './oom-score.ts';

test('the same score is not written; a value that is none is refused', () => {
  const now = Number(readFileSync('/proc/self/oom_score_adj', 'latin1'));
  expect(setOomScore(now)).toBe(false);
  expect(() => setOomScore(5000)).toThrow(/EINVAL/);
});
