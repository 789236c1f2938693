import { describe, expect, test } from '@jest/globals';
import { everyOutcome } from './every-outcome.ts';

describe('everyOutcome', () => {
  test('runs once where nothing is drawn', () => {
    expect(everyOutcome(() => 'only')).toEqual(['only']);
  });

  test('draws every number, and others behind them', () => {
    expect(
      everyOutcome((random) => {
        const first = random(3);
        return first === 1 ? [first] : [first, random(2)];
      }),
    ).toEqual([[0, 0], [0, 1], [1], [2, 0], [2, 1]]);
  });
});
