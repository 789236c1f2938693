import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { errorCode, errorMessage } from './error-text.ts';

function thrownBy(f: () => unknown): unknown {
  try {
    return f();
  } catch (error) {
    return error;
  }
}

test.each([
  ['an error', new RangeError('too big'), 'too big', undefined],
  ["Node's, of another realm under jest", thrownBy(() => readFileSync('/')), /^EISDIR: .*read$/, 'EISDIR'],
  ['a text', 'no', 'no', undefined],
  ['nothing', undefined, 'undefined', undefined],
  ['null', null, 'null', undefined],
  ['a code that is a number', { code: 7, message: 8 }, '8', undefined],
])('reads %s', (_, error, message, code) => {
  expect(errorMessage(error)).toMatch(message);
  expect(errorCode(error)).toBe(code);
});
