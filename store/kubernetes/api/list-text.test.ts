import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ListText } from './list-text.ts';

function readAll(
  text: string,
  size: number,
): { readonly items: readonly unknown[]; readonly header: unknown } {
  const list = new ListText();
  const items: unknown[] = [];
  for (let at = 0; at < text.length; at += size)
    for (const item of list.take(text.slice(at, at + size))) items.push(JSON.parse(item));
  return { items, header: JSON.parse(list.end()) };
}

describe('a list that comes in pieces', () => {
  test('gives its items and the rest', () => {
    const text = String.raw`{"kind":"NodeList","metadata":{"resourceVersion":"7","x":[{"items":[1]}]},
      "items":[ {"a":"\"]}\\"} , {"items":[{"b":[]}],"c":{}}, {} ],"after":"[{"}`;
    for (const size of [1, 2, 3, 10, 1000]) {
      const { items, header } = readAll(text, size);
      expect(items).toEqual([{ a: '"]}\\' }, { items: [{ b: [] }], c: {} }, {}]);
      expect(header).toEqual({
        kind: 'NodeList',
        metadata: { resourceVersion: '7', x: [{ items: [1] }] },
        items: [],
        after: '[{',
      });
    }
  });

  test.each(['{"items":null,"metadata":{}}', '{"metadata":{}}', '{"items":[],"metadata":{}}'])(
    'without items: %s',
    (text) => {
      expect(readAll(text, 5)).toEqual({ items: [], header: JSON.parse(text) });
    },
  );

  test('whatever its items are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.object(), { maxLength: 5 }),
        fc.jsonValue(),
        fc.string(),
        fc.integer({ min: 1, max: 50 }),
        (items, metadata, kind, size) => {
          const list = { metadata, kind, items };
          const read = readAll(JSON.stringify(list), size);
          expect(read.items).toEqual(JSON.parse(JSON.stringify(items)));
          expect(read.header).toEqual(JSON.parse(JSON.stringify({ ...list, items: [] })));
        },
      ),
    );
  });

  test.each([
    '{"items":[1]}',
    '{"items":["a"]}',
    '{"items":[null]}',
    '{"items":[[]]}',
    '{"items":[{}',
    '{"items":[{}]',
    '<html>a proxy</html>',
    '',
  ])('that is none: %s', (text) => {
    expect(() => readAll(text, 4)).toThrow();
  });
});
