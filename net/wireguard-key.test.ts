import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { WireguardKey } from './wireguard-key.ts';

describe('a key of WireGuard', () => {
  test('is written as wg writes it', () => {
    const key = WireguardKey.fromBytes(Uint8Array.from({ length: 32 }, (_, i) => i));
    expect(String(key)).toBe('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=');
    expect(JSON.stringify({ key })).toBe(`{"key":"${key}"}`);
    expect(key.isZero).toBe(false);
    expect(WireguardKey.fromBytes(new Uint8Array(32)).isZero).toBe(true);
  });

  test('of whatever bytes is read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const key = WireguardKey.fromBytes(bytes);
        expect(WireguardKey.parse(String(key)).equals(key)).toBe(true);
      }),
    );
  });

  const good = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
  test.each([
    '',
    good.slice(1),
    `A${good}`,
    good.replace('=', ''),
    // Two bits more than 32 bytes have.
    good.replace('8=', '9='),
    good.replace('A', '-'),
    ` ${good}`,
    `${good}\n`,
  ])('is not read from %j, which no error tells', (text) => {
    expect(WireguardKey.tryParse(text)).toBeUndefined();
    expect(() => WireguardKey.parse(text)).toThrow(
      new SyntaxError('Cannot parse WireGuard key: want 32 bytes in base64'),
    );
  });

  test('has 32 bytes', () => {
    expect(() => WireguardKey.fromBytes(new Uint8Array(31))).toThrow(
      new RangeError('Cannot make a WireGuard key of 31 bytes: 32 are needed'),
    );
  });
});
