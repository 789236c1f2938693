import { expect, test } from '@jest/globals';
import { isStoreError, quote, StoreError } from './store-error.ts';

test('a StoreError names the action and every field, and can be asked', () => {
  const cause = new Error('x');
  const problems = [
    { field: 'PublicIP', message: 'is missing' },
    { field: '', message: 'it is bad' },
  ];
  const error = new StoreError('Cannot read "a"', { code: 'invalid', object: 'a', problems, cause });
  expect(error.message).toBe('Cannot read "a": PublicIP: is missing; it is bad');
  expect([error.object, error.problems, error.cause]).toEqual(['a', problems, cause]);
  expect([isStoreError(error), isStoreError(error, 'invalid'), isStoreError(error, 'full')]).toEqual([
    true,
    true,
    false,
  ]);
  expect(isStoreError(cause)).toBe(false);
});

test('anything can be quoted', () => {
  const loop: unknown[] = [];
  loop.push(loop);
  expect([undefined, null, 'a"\n', loop, { a: 1 }].map((value) => quote(value))).toEqual([
    'undefined',
    'null',
    '"a\\"\\n"',
    '(unprintable)',
    '{"a":1}',
  ]);
});
