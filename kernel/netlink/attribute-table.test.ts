import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { at, attributeTable, listOf, nest, nestBy } from './attribute-table.ts';
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import { type Codec, flag, text, u8, u16, u32 } from './codec.ts';

function encode<T>(codec: Codec<T>, value: T): Buffer {
  const out = new ByteWriter();
  codec.write(out, value);
  return Buffer.from(out.bytes());
}

function decode<T>(codec: Codec<T>, content: Uint8Array): T {
  return codec.read(new ByteReader(Buffer.from(content)));
}

const hex = (content: string): Buffer => Buffer.from(content.replaceAll(/\s+/g, ''), 'hex');

const inner = attributeTable({ A: at(1, u8), B: at(2, u16) });
const table = attributeTable({
  NAME: at(3, text),
  UP: at(5, flag),
  KIND: at(7, text),
  DATA: nestBy(8, { sibling: 'KIND', codecs: { numbers: inner, words: attributeTable({ W: at(1, text) }) } }),
  PLAIN: nest(9, inner, { unmarked: true }),
  LIST: nest(10, listOf(nest(1, inner))),
});

describe('an attribute table', () => {
  test('writes in its own order, aligned, nested attributes marked as such', () => {
    const value = { DATA: { A: 1, B: 2 }, KIND: 'numbers', NAME: 'x', UP: true } as const;
    expect(encode(table, value)).toEqual(
      hex(
        '0600 0300 7800 0000  0400 0500  0c00 0700 6e756d6265727300  1400 0880 0500 0100 01000000 0600 0200 0200 0000',
      ),
    );
  });

  test('reads back what it wrote', () => {
    const numbers = fc.record(
      { A: fc.integer({ min: 0, max: 255 }), B: fc.integer({ min: 0, max: 65535 }) },
      { requiredKeys: [] },
    );
    const values = fc.record(
      {
        NAME: fc.stringMatching(/^[a-z]{0,20}$/),
        UP: fc.constant(true as const),
        PLAIN: numbers,
        LIST: fc.array(numbers),
      },
      { requiredKeys: [] },
    );
    fc.assert(fc.property(values, (value) => expect(decode(table, encode(table, value))).toEqual(value)));
  });

  test('skips what it does not know, takes the last of repeated ones and reads a sibling that comes later', () => {
    expect(
      decode(
        table,
        hex(
          '0500 6300 ff000000  0800 0800 0400 0100  0600 0300 7800 0000  0600 0300 7900 0000  0a00 0700 776f72647300',
        ),
      ),
    ).toEqual({ NAME: 'y', KIND: 'words', DATA: { W: '' } });
  });

  test('skips data of a kind that it does not know, and of no kind', () => {
    expect(decode(table, hex('0600 0700 7a00 0000 0800 0880 ffffffff'))).toEqual({ KIND: 'z' });
    expect(decode(table, hex('0800 0880 ffffffff'))).toEqual({});
    expect(decode(table, hex('0d00 0700 746f537472696e6700 000000 0800 0880 ffffffff'))).toEqual({
      KIND: 'toString',
    });
  });

  test('does not write data without its kind', () => {
    expect(() => encode(table, { DATA: { A: 1 } })).toThrow(
      'Cannot encode DATA: no codec for it beside its siblings',
    );
  });

  test('does not write an attribute that is too long, nor is made with one number twice', () => {
    expect(() => encode(table, { NAME: 'x'.repeat(65536) })).toThrow(
      'Cannot encode attribute 3 of 65541 bytes: 65535 is the most',
    );
    expect(() => attributeTable({ A: at(1, u8), B: at(1, u8) })).toThrow(TypeError);
  });

  test.each([
    ['shorter than its header', '0300 0300', 'Cannot read attribute 3: its length is 3'],
    ['longer than what is left', '0900 0300 78000000', 'Cannot read 5 bytes: 4 are left'],
    ['inside another', '0800 0980 0600 0200', 'PLAIN: Cannot read 2 bytes: 0 are left'],
    ['in a list', '0c00 0a80 0800 0180 0600 0200', 'LIST: [0]: Cannot read 2 bytes: 0 are left'],
  ])('refuses an attribute %s', (_, content, message) => {
    expect(() => decode(table, hex(content))).toThrow(DecodeError);
    expect(() => decode(table, hex(content))).toThrow(message);
  });

  test('refuses attributes that nest too deep', () => {
    let deep: Codec<unknown> = u32;
    for (let i = 0; i < 40; i++) deep = attributeTable({ N: nest(1, deep) });
    let content = Buffer.alloc(4);
    for (let i = 0; i < 40; i++) {
      const header = Buffer.alloc(4);
      header.writeUInt16LE(content.length + 4, 0);
      header.writeUInt16LE(1, 2);
      content = Buffer.concat([header, content]);
    }
    expect(() => decode(deep, content)).toThrow('nested deeper than 32');
    // And is in order afterwards.
    expect(decode(table, hex('0600 0300 7800 0000'))).toEqual({ NAME: 'x' });
  });

  test('ends on any bytes, and fails only with DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (content) => {
        try {
          decode(table, content);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
