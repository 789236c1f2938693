import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Mac } from './mac.ts';

const bytes = fc.uint8Array({ minLength: 6, maxLength: 6 });

describe('Mac', () => {
  test('prints lower case with colons, as ip does', () => {
    expect(Mac.parse('C6:d2:32:6F:8f:04').toString()).toBe('c6:d2:32:6f:8f:04');
    expect(JSON.stringify(Mac.parse('c6:d2:32:6f:8f:04'))).toBe('"c6:d2:32:6f:8f:04"');
  });

  test.each([
    '',
    'c6:d2:32:6f:8f',
    'c6:d2:32:6f:8f:44:00',
    'c6-d2-32-6f-8f-44',
    'c6d2.326f.8f44',
    'c6:d2:32:6f:8f:4',
    'c6:d2:32:6f:8f:4g',
    ' c6:d2:32:6f:8f:44',
    'c6:d2:32:6f:8f:44\n',
  ])('refuses %j', (text) => {
    expect(Mac.tryParse(text)).toBeUndefined();
    expect(() => Mac.parse(text)).toThrow('Cannot parse MAC address');
  });

  test('reads what it prints', () => {
    fc.assert(
      fc.property(bytes, (raw) => {
        const mac = Mac.fromBytes(raw);
        expect(Mac.parse(mac.toString()).bytes).toEqual(raw);
        expect(Mac.parse(mac.toString()).equals(mac)).toBe(true);
      }),
    );
  });

  test('makes locally administered unicast addresses of any seed, and keeps the other bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 32 }), (seed) => {
        const { bytes: made, isMulticast } = Mac.local(seed);
        expect((made[0] ?? 0) & 0x03).toBe(0x02);
        expect(isMulticast).toBe(false);
        expect((made[0] ?? 0) & 0xfc).toBe((seed[0] ?? 0) & 0xfc);
        expect(made.subarray(1)).toEqual(seed.subarray(1, 6));
      }),
    );
    expect(() => Mac.local(new Uint8Array(5))).toThrow('of 5 bytes: 6 are needed');
  });

  test.each([
    ['00:00:00:00:00:00', true, false],
    ['00:00:00:00:00:01', false, false],
    ['01:00:5e:00:00:01', false, true],
    ['ff:ff:ff:ff:ff:ff', false, true],
    ['c6:d2:32:6f:8f:44', false, false],
  ])('%s: zero %s, multicast %s', (text, zero, multicast) => {
    expect(Mac.parse(text).isZero).toBe(zero);
    expect(Mac.parse(text).isMulticast).toBe(multicast);
  });

  test('differs when one byte differs', () => {
    expect(Mac.parse('c6:d2:32:6f:8f:44').equals(Mac.parse('c6:d2:32:6f:8f:45'))).toBe(false);
  });
});
