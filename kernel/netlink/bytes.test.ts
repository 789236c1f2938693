import { describe, expect, test } from '@jest/globals';
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';

describe('ByteWriter', () => {
  test('writes each number in its order and grows as needed', () => {
    const out = new ByteWriter(1);
    out.u8(1);
    out.u16(0x0203);
    out.u32(0xfffffffe);
    out.i32(-2);
    out.u64(0x0102030405060708n);
    out.be16(0x0203);
    out.be32(0x01020304);
    out.be64(0x0102030405060708n);
    expect(out.bytes().toString('hex')).toBe(
      '010302fefffffffeffffff0807060504030201' + '0203' + '01020304' + '0102030405060708',
    );
  });

  test('gives room to write to, and text the room that it needs', () => {
    const out = new ByteWriter(2);
    out.u8(1);
    const at = out.room(2);
    out.memory.set([7, 8], at);
    out.text('aß€');
    out.u8(2);
    expect([...out.bytes()]).toEqual([1, 7, 8, ...Buffer.from('aß€'), 2]);
  });

  test('aligns with zeros, patches and forgets', () => {
    const out = new ByteWriter();
    out.text('abc');
    out.u16(7);
    out.align();
    out.align();
    out.patchU16(0, 0x4142);
    expect(out.bytes().toString('latin1')).toBe('BAc\x07\0\0\0\0');
    out.truncate(3);
    out.zeros(2);
    out.patchU32(0, 1);
    expect(out.bytes().toString('hex')).toBe('0100000000');
  });

  test.each([-1, 256])('does not write %p as a byte', (value) => {
    expect(() => new ByteWriter().u8(value)).toThrow('must be >= 0 and <= 255');
  });
});

describe('ByteReader', () => {
  test('reads back what was written', () => {
    const out = new ByteWriter();
    out.u8(255);
    out.u16(65535);
    out.u32(0xffffffff);
    out.i32(-1);
    out.u64(2n ** 64n - 1n);
    out.be16(258);
    out.be32(16909060);
    out.be64(1n);
    const input = new ByteReader(out.bytes());
    expect(input.peekU8()).toBe(255);
    expect([input.u8(), input.u16(), input.u32(), input.i32(), input.u64()]).toEqual([
      255,
      65535,
      0xffffffff,
      -1,
      2n ** 64n - 1n,
    ]);
    expect([input.be16(), input.be32(), input.be64()]).toEqual([258, 16909060, 1n]);
    expect(input.remaining).toBe(0);
  });

  const reads: readonly (readonly [string, (input: ByteReader) => unknown])[] = [
    ['u8', (input) => input.u8()],
    ['peekU8', (input) => input.peekU8()],
    ['u16', (input) => input.u16()],
    ['u32', (input) => input.u32()],
    ['i32', (input) => input.i32()],
    ['u64', (input) => input.u64()],
    ['be16', (input) => input.be16()],
    ['be32', (input) => input.be32()],
    ['be64', (input) => input.be64()],
    ['raw', (input) => input.raw(1)],
    ['skip', (input) => input.skip(1)],
    ['slice', (input) => input.slice(1)],
  ];

  test.each(reads)('never reads past its slice: %s', (_, read) => {
    // There are bytes behind the slice; they are not its own.
    const input = new ByteReader(Buffer.alloc(32), 4, 4);
    expect(() => read(input)).toThrow(DecodeError);
  });

  test('a slice is a view of its own; raw is a copy', () => {
    const bytes = Buffer.from([1, 2, 3, 4]);
    const input = new ByteReader(bytes);
    const slice = input.slice(2);
    const copy = input.raw();
    bytes.fill(9);
    expect(slice.u8()).toBe(9);
    expect([...copy]).toEqual([3, 4]);
    expect(() => new ByteReader(bytes, 3, 2)).toThrow(DecodeError);
    expect(() => new ByteReader(bytes, 0, 5)).toThrow(DecodeError);
  });

  test('padding may be missing at the end', () => {
    const input = new ByteReader(Buffer.alloc(3));
    input.skip(1);
    input.skipPadding(1);
    expect(input.remaining).toBe(0);
  });
});
