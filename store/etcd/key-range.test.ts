import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyBytes, keysBelow, keyText } from './key-range.ts';

test('holds the keys that begin so, and no others', () => {
  expect(keysBelow('/a/subnets/')).toEqual({ start: '/a/subnets/', end: '/a/subnets0' });
  const { start, end = '' } = keysBelow('/a/');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((tail) => `/a/${tail}`),
      ),
      (key) => {
        const isIn =
          Buffer.compare(keyBytes(key), keyBytes(start)) >= 0 &&
          Buffer.compare(keyBytes(key), keyBytes(end)) < 0;
        expect(isIn).toBe(key.startsWith('/a/'));
      },
    ),
  );
  expect(() => keysBelow('/a/\u{10ffff}')).toThrow(RangeError);
});

test('a key that is no text can be named', () => {
  expect(keyText(Uint8Array.of(0x2f, 0xff))).toBe('/\ufffd');
});
