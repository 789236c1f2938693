import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import {
  be16,
  be32,
  be64,
  bei32,
  bool8,
  bytes,
  bytesOf,
  type Codec,
  flag,
  i32,
  ipAddress,
  macAddress,
  padding,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
} from './codec.ts';

function encode<T>(codec: Codec<T>, value: T): Buffer {
  const out = new ByteWriter();
  codec.write(out, value);
  return Buffer.from(out.bytes());
}

function decode<T>(codec: Codec<T>, content: Uint8Array): T {
  return codec.read(new ByteReader(Buffer.from(content)));
}

describe('single values', () => {
  const cases: readonly (readonly [string, Codec<unknown>, unknown, string])[] = [
    ['u8', u8, 255, 'ff'],
    ['u16', u16, 258, '0201'],
    ['u32', u32, 1, '01000000'],
    ['i32', i32, -1, 'ffffffff'],
    ['u64', u64, 1n, '0100000000000000'],
    ['be16', be16, 258, '0102'],
    ['be32', be32, 1, '00000001'],
    ['be64', be64, 1n, '0000000000000001'],
    ['bei32', bei32, -100, 'ffffff9c'],
    ['bool8', bool8, true, '01'],
    ['flag', flag, true, ''],
    ['text', text, 'eth0', '6574683000'],
    ['text in UTF-8', text, 'ü', 'c3bc00'],
    ['bytes', bytes, Buffer.from([1, 2]), '0102'],
    ['bytesOf(2)', bytesOf(2), Buffer.from([1, 2]), '0102'],
    ['an IPv4 address', ipAddress, IpAddress.parse('192.0.2.1'), 'c0000201'],
    ['an IPv6 address', ipAddress, IpAddress.parse('::1'), '00000000000000000000000000000001'],
    ['a MAC', macAddress, Mac.parse('02:00:00:00:00:01'), '020000000001'],
  ];

  test.each(cases)('%s', (_, codec, value, hex) => {
    expect(encode(codec, value).toString('hex')).toBe(hex);
    expect(decode(codec, Buffer.from(hex, 'hex'))).toEqual(value);
  });

  test('text ends at its zero byte, and has none inside', () => {
    expect(decode(text, Buffer.from('eth0\0xx'))).toBe('eth0');
    expect(decode(text, Buffer.from('eth0'))).toBe('eth0');
    expect(() => encode(text, 'a\0b')).toThrow('Cannot encode text with a zero byte: "a\\u0000b"');
  });

  test.each([
    ['an IP address of 5 bytes', () => decode(ipAddress, Buffer.alloc(5))],
    ['a MAC address of 4 bytes', () => decode(macAddress, Buffer.alloc(4))],
    ['3 bytes where 4 are needed', () => decode(u32, Buffer.alloc(3))],
  ])('does not read %s', (_, read) => {
    expect(read).toThrow(DecodeError);
  });

  test('does not write bytes of another length', () => {
    expect(() => encode(bytesOf(4), Buffer.alloc(3))).toThrow('Cannot encode 3 bytes: 4 are needed');
  });
});

describe('struct', () => {
  const header = struct({ family: u8, _pad: padding(1), port: be16, index: i32 });

  test('writes fields in order with zeros for padding, and reads them back', () => {
    fc.assert(
      fc.property(
        fc.record({
          family: fc.integer({ min: 0, max: 255 }),
          port: fc.integer({ min: 0, max: 65535 }),
          index: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        }),
        (value) => {
          const content = encode(header, value);
          expect(content.length).toBe(8);
          expect(content[1]).toBe(0);
          expect(decode(header, content)).toEqual(value);
        },
      ),
    );
  });

  test('is not read from fewer bytes', () => {
    expect(() => decode(header, Buffer.alloc(7))).toThrow(DecodeError);
  });
});
