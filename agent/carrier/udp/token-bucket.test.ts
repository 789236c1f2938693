import { expect, test } from '@jest/globals';
import { TokenBucket } from './token-bucket.ts';

test('a burst, then so many a second', () => {
  let time = 0;
  const bucket = new TokenBucket({ perSecond: 10, burst: 3, now: () => time });
  const takeAll = (): number => {
    let taken = 0;
    while (bucket.take()) taken++;
    return taken;
  };
  expect(takeAll()).toBe(3);
  time = 99;
  expect(takeAll()).toBe(0);
  time = 250;
  expect(takeAll()).toBe(2);
  time = 60_000;
  expect(takeAll()).toBe(3);
});
