import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from './address.ts';
import { Prefix } from './prefix.ts';

const prefix = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .chain((raw) =>
    fc.integer({ min: 0, max: raw.length * 8 }).map((length) => new Prefix(IpAddress.fromBytes(raw), length)),
  );

// The model: a prefix is the range of numbers from its first to its last address.
function range(value: Prefix): { readonly first: bigint; readonly last: bigint } {
  const host = BigInt(value.bits - value.length);
  const first = (value.address.toBigInt() >> host) << host;
  return { first, last: first + (1n << host) - 1n };
}

describe('Prefix', () => {
  test.each([
    ['10.1.2.3/16', '10.1.0.0', '10.1.255.255', 65536n],
    ['10.1.2.3/32', '10.1.2.3', '10.1.2.3', 1n],
    ['10.1.2.3/0', '0.0.0.0', '255.255.255.255', 1n << 32n],
    ['10.1.2.255/25', '10.1.2.128', '10.1.2.255', 128n],
    ['fd00:1::5/60', 'fd00:1::', 'fd00:1:0:f:ffff:ffff:ffff:ffff', 1n << 68n],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 1n << 128n],
    ['::1/128', '::1', '::1', 1n],
  ])('%s goes from %s to %s', (text, first, last, size) => {
    const value = Prefix.parse(text);
    expect(value.toString()).toBe(text);
    expect(value.first().toString()).toBe(first);
    expect(value.last().toString()).toBe(last);
    expect(value.size).toBe(size);
    expect(value.network().toString()).toBe(`${first}/${value.length}`);
  });

  test.each([
    '',
    '10.0.0.0',
    '10.0.0.0/',
    '/8',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::/-1',
    '10.0.0.0/ 8',
    '10.0.0.0/1e1',
  ])('refuses %j', (text) => {
    expect(Prefix.tryParse(text)).toBeUndefined();
    expect(() => Prefix.parse(text)).toThrow(`Cannot parse prefix "${text}": want ADDRESS/LENGTH`);
  });

  test('refuses lengths that the family does not have', () => {
    expect(() => new Prefix(IpAddress.parse('10.0.0.0'), 33)).toThrow(
      'Cannot make prefix "10.0.0.0/33": the length must be 0 to 32',
    );
    expect(() => new Prefix(IpAddress.parse('::'), 1.5)).toThrow(RangeError);
  });

  test('is the range of its addresses', () => {
    fc.assert(
      fc.property(prefix, (value) => {
        const model = range(value);
        expect(value.first().toBigInt()).toBe(model.first);
        expect(value.last().toBigInt()).toBe(model.last);
        expect(value.isNetwork).toBe(value.address.toBigInt() === model.first);
        expect(value.network().isNetwork).toBe(true);
        expect(Prefix.parse(value.toString()).equals(value)).toBe(true);
      }),
    );
  });

  test('contains and overlaps as ranges do', () => {
    // The second prefix starts from the first, so that about half of the pairs meet.
    const pair = fc.tuple(prefix, prefix, fc.boolean()).map(([left, right, near]) => {
      const length = Math.min(right.length, left.bits);
      return [left, near ? new Prefix(left.address, length) : right] as const;
    });
    fc.assert(
      fc.property(pair, ([left, right]) => {
        const [a, b] = [range(left), range(right)];
        const same = left.family === right.family;
        expect(left.contains(right)).toBe(same && a.first <= b.first && b.last <= a.last);
        expect(left.overlaps(right)).toBe(same && a.first <= b.last && b.first <= a.last);
        const address = right.address.toBigInt();
        expect(left.contains(right.address)).toBe(same && a.first <= address && address <= a.last);
      }),
    );
  });

  test('sorts by address, then by length', () => {
    const sorted = ['10.0.0.0/8', '10.0.0.0/16', '10.0.1.0/16', 'fd00::/8'].map((text) => Prefix.parse(text));
    expect(
      sorted
        .toReversed()
        .sort((a, b) => a.compare(b))
        .map(String),
    ).toEqual(sorted.map(String));
  });

  test('holds just one address when made of a host', () => {
    expect(Prefix.host(IpAddress.parse('10.0.0.1')).toString()).toBe('10.0.0.1/32');
    expect(Prefix.host(IpAddress.parse('::1')).toString()).toBe('::1/128');
  });
});
