import { expect, test } from '@jest/globals';
import { probability } from './endpoint-rules.ts';

test.each([
  [1, '1.0000000000'],
  [2, '0.5000000000'],
  [3, '0.3333333333'],
  [6, '0.1666666667'],
  [7, '0.1428571429'],
  [1024, '0.0009765625'],
  // Halfway between two texts: Go takes the even one.
  [2048, '0.0004882812'],
  [4096, '0.0002441406'],
])('one of %d', (choices, text) => {
  expect(probability(choices)).toBe(text);
});
