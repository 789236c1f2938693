import { expect, test } from '@jest/globals';
import { NumberPool } from './number-pool.ts';

test('numbers come from 1 up, and those given back as late as possible', () => {
  const pool = new NumberPool(5);
  expect([pool.take(), pool.take()]).toEqual([1, 2]);
  pool.release(1);
  expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([3, 4, 1, undefined]);
});

test('reserved numbers are not handed out, and the next are larger', () => {
  const pool = new NumberPool(10);
  expect([pool.reserve(4), pool.reserve(4), pool.reserve(0), pool.reserve(10)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(pool.take()).toBe(5);
  pool.keepOnly(new Set([5]));
  expect([6, 7, 8, 9, 1, 2, 3, 4].map(() => pool.take())).toEqual([6, 7, 8, 9, 1, 2, 3, 4]);
  expect(pool.take()).toBeUndefined();
});
