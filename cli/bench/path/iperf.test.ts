import { expect, test } from '@jest/globals';
import { bitsPerSecond } from './iperf.ts';

test('the sum of what arrived', () => {
  const end = { sum_sent: { bits_per_second: 2e9 }, sum_received: { bits_per_second: 1.5e9 } };
  expect(bitsPerSecond(JSON.stringify({ start: {}, intervals: [], end }))).toBe(1.5e9);
});

test.each([
  ['its words', { error: 'unable to connect to server', end: {} }, 'unable to connect to server'],
  ['no sum', { end: {} }, 'its report has no sum'],
])('what it could not do: %s', (_, report, words) => {
  expect(() => bitsPerSecond(JSON.stringify(report))).toThrow(`Cannot measure with iperf3: ${words}`);
});
