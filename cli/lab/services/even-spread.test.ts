import { expect, test } from '@jest/globals';
import { chiSquare, chiSquareLimit, isEvenSpread } from './even-spread.ts';

test.each([
  // The distribution function itself, inverted numerically at 1 - 1e-6.
  [1, 23.93],
  [5, 35.89],
  [10, 46.86],
])('with %d degrees of freedom the limit is %d, or a little more', (degrees, limit) => {
  expect(chiSquareLimit(degrees)).toBeGreaterThan(limit * 0.99);
  expect(chiSquareLimit(degrees)).toBeLessThan(limit * 1.2);
});

test('counts', () => {
  expect(chiSquare([10, 10, 10])).toBe(0);
  expect(chiSquare([0, 30])).toBe(30);
  expect(isEvenSpread([50, 45, 55])).toBe(true);
  expect(isEvenSpread([240, 0, 0])).toBe(false);
  expect(isEvenSpread([240])).toBe(true);
});
