import { describe, expect, test } from '@jest/globals';
import { chainName } from './chain-name.ts';

describe('chainName', () => {
  test.each(['NETLOOM-FWD', 'KUBE-SVC-ABCDEFGHIJKLMNOP', 'a'.repeat(28)])('takes %j', (name) => {
    expect(chainName(name)).toBe(name);
  });
  test.each(['', 'a'.repeat(29), 'A B', 'A\nB', '-j "X"', 'A;B'])('refuses %j', (name) => {
    expect(() => chainName(name)).toThrow(SyntaxError);
  });
});
