import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffDelay } from './backoff.ts';

describe('backoffDelay', () => {
  test('doubles from min and stops at max', () => {
    const delays = [1, 2, 3, 4, 5, 5000].map((n) =>
      backoffDelay(n, { min: 100, max: 1000, random: () => 0 }),
    );
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  test('jitter takes off at most half', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), random, (failures, r) => {
        const full = backoffDelay(failures, { min: 10, max: 60_000, random: () => 0 });
        const delay = backoffDelay(failures, { min: 10, max: 60_000, random: () => r });
        expect(delay).toBeGreaterThan(full / 2 - 1e-9);
        expect(delay).toBeLessThanOrEqual(full);
      }),
    );
  });
});
