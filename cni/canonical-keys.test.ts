import { expect, test } from '@jest/globals';
import { withCanonicalKeys } from './canonical-keys.ts';

test.each([
  [
    { NAME: 1, DataDir: 2, other: 3 },
    { name: 1, dataDir: 2, other: 3 },
  ],
  [{ name: 1, Name: 2 }, { name: 1 }],
  [{ Name: 2, name: 1 }, { name: 1 }],
  [{ name: null, dataDir: 1 }, { dataDir: 1 }],
  [{ Name: null, name: 1 }, { name: 1 }],
  [[1], [1]],
  ['text', 'text'],
  [null, null],
])('%j becomes %j', (object, expected) => {
  expect(withCanonicalKeys(object, ['name', 'dataDir'])).toEqual(expected);
});

test('a key "__proto__" is one like any other', () => {
  const copy = withCanonicalKeys(JSON.parse('{"__proto__": {"name": "x"}}'), ['name']);
  expect(copy).not.toHaveProperty('name');
});
