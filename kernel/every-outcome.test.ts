import { describe, expect, test } from '@jest/globals';
import { everyOutcome } from './every-outcome.ts';

describe('everyOutcome', () => {
  test('takes every way once, with its probability', () => {
    const ways = everyOutcome(({ happens, random }) => {
      if (happens(0.25)) return 'first';
      return random(3) === 0 ? 'second' : `third ${random(2)}`;
    });
    expect(ways.map(({ result }) => result)).toEqual([
      'first',
      'second',
      'third 0',
      'third 1',
      'third 0',
      'third 1',
    ]);
    expect(ways.map(({ probability }) => probability)).toEqual([0.25, 0.25, 0.125, 0.125, 0.125, 0.125]);
  });

  test('asks nothing of what is certain', () => {
    const ways = everyOutcome(({ happens, random }) => [happens(1), happens(0), random(1)]);
    expect(ways).toEqual([{ probability: 1, result: [true, false, 0] }]);
  });

  test('refuses what has too many ways', () => {
    expect(() => everyOutcome(({ random }) => random(2 ** 31))).toThrow(/too many/);
    expect(() => everyOutcome(({ random }) => [random(1000), random(1000)])).toThrow(/more than 10000/);
  });
});
