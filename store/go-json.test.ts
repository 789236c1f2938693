import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { checkShape, goObject, parseJsonObject, printGoJson } from './go-json.ts';

describe('an object as Go reads it', () => {
  const shape = goObject({ Name: z.string(), Size: z.number().int().min(1).nullish() });

  test.each<[unknown, object | undefined, readonly string[]]>([
    [{ Name: 'a', Size: 2 }, { Name: 'a', Size: 2 }, []],
    [{ NAME: 'a', size: null, other: 1 }, { Name: 'a', Size: null }, []],
    [{}, undefined, ['Name: is missing']],
    [{ Name: null, Size: 0 }, undefined, ['Name: want a string, not null', 'Size: want at least 1, not 0']],
    [{ Name: 'a', name: 'b' }, undefined, ['Name: is given twice, once as "name"']],
    [[], undefined, [': want an object, not []']],
    [null, undefined, [': want an object, not null']],
  ])('%j', (value, data, problems) => {
    const result = checkShape(shape, value);
    expect(result.data).toEqual(data);
    expect(result.problems.map(({ field, message }) => `${field}: ${message}`)).toEqual(problems);
  });
});

test('long foreign values are cut in messages, and control characters escaped', () => {
  expect(() => parseJsonObject(`\u001b[2J${'x'.repeat(100)}`, 'o')).toThrow(
    `Cannot read "o": it is not JSON (half-written?): "\\u001b[2J${'x'.repeat(70)}... (111 characters)`,
  );
});

test('JSON is written as Go writes it', () => {
  expect(printGoJson({ a: ['<&>', '\u2028\u2029', 'ü'], b: null, c: 1e21 })).toBe(
    '{"a":["\\u003c\\u0026\\u003e","\\u2028\\u2029","ü"],"b":null,"c":1e+21}',
  );
});
