import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { leaseKey, parseLeaseKey } from './lease-key.ts';
import { StoreError } from './store-error.ts';

describe('a lease key', () => {
  test.each([
    ['10.5.52.0-24', '10.5.52.0/24', undefined],
    ['10.12.13.0-24&fd00:12:13::-56', '10.12.13.0/24', 'fd00:12:13::/56'],
    ['fd00:12:13::-56', undefined, 'fd00:12:13::/56'],
  ])('%s names %s and %s', (key, subnet, subnet6) => {
    const subnets = parseLeaseKey(key);
    expect(subnets.subnet?.toString()).toBe(subnet);
    expect(subnets.subnet6?.toString()).toBe(subnet6);
    expect(leaseKey(subnets)).toBe(key);
  });

  test.each([
    ['', 'is not a subnet: want 10.5.52.0-24 or 10.5.52.0-24&fd00:5:52::-64'],
    ['config', 'is not a subnet: want 10.5.52.0-24 or 10.5.52.0-24&fd00:5:52::-64'],
    ['10.5.52.0', 'is not a subnet: want 10.5.52.0-24 or 10.5.52.0-24&fd00:5:52::-64'],
    ['10.5.52.0-24&', 'is not a subnet: want 10.5.52.0-24 or 10.5.52.0-24&fd00:5:52::-64'],
    ['10.5.52.0-24&fd00::-64&fd01::-64', 'is not a subnet: want 10.5.52.0-24 or 10.5.52.0-24&fd00:5:52::-64'],
    ['fd00:12:13::-56&10.5.52.0-24', 'must name the IPv4 subnet, then the IPv6 one'],
    ['10.5.52.0-24&10.5.53.0-24', 'must name the IPv4 subnet, then the IPv6 one'],
    ['10.5.52.1-24', 'has host bits set: the subnet is 10.5.52.0/24'],
    ['10.5.52.0-24&fd00:5:52::1-64', 'has host bits set: the subnet is fd00:5:52::/64'],
    ['10.5.52.0-31', 'has prefix length 31: want 1 to 30'],
    ['0.0.0.0-0', 'has prefix length 0: want 1 to 30'],
    ['fd00::-127', 'has prefix length 127: want 1 to 126'],
    ['127.0.0.0-24', 'is not in a range that pods can use'],
    ['224.0.0.0-24', 'is not in a range that pods can use'],
    ['0.0.0.0-8', 'is not in a range that pods can use'],
    ['fe80::-64', 'is not in a range that pods can use'],
    ['::ffff:10.0.0.0-120', 'is not in a range that pods can use'],
    ['FD00::-64', 'is not in its canonical form "fd00::-64"'],
    ['fd00:0::-64', 'is not in its canonical form "fd00::-64"'],
    ['10.5.52.0/24', 'is not in its canonical form "10.5.52.0-24"'],
  ])('%j is refused', (key, message) => {
    expect(() => parseLeaseKey(key, 'subnets/x.json')).toThrow(
      `Cannot read lease "subnets/x.json": key: ${JSON.stringify(key)} ${message}`,
    );
  });

  test('round-trips for every subnet, and has one spelling', () => {
    const subnet = fc
      .record({
        value: fc.integer({ min: 0x01000000, max: 0x7effffff }),
        length: fc.integer({ min: 8, max: 30 }),
      })
      .map(({ value, length }) => new Prefix(IpAddress.fromBigInt(4, BigInt(value)), length).network());
    const subnet6 = fc
      .record({
        value: fc.bigInt({ min: 0n, max: (1n << 120n) - 1n }),
        length: fc.integer({ min: 8, max: 126 }),
      })
      .map(({ value, length }) =>
        new Prefix(IpAddress.fromBigInt(6, (0xfdn << 120n) | value), length).network(),
      );
    const none = fc.constant(undefined);
    fc.assert(
      fc.property(fc.oneof(none, subnet), fc.oneof(none, subnet6), (v4, v6) => {
        if (v4 === undefined && v6 === undefined) return;
        const key = leaseKey({ subnet: v4, subnet6: v6 });
        const read = parseLeaseKey(key);
        expect(read.subnet?.toString()).toBe(v4?.toString());
        expect(read.subnet6?.toString()).toBe(v6?.toString());
      }),
    );
  });

  test('never throws anything but a StoreError, and what it takes is one safe component of a path', () => {
    const nearly = fc.string({ unit: fc.constantFrom(...'0123456789af.:-&/'), maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (key) => {
        try {
          parseLeaseKey(key);
          expect(key).not.toMatch(/[/\s]|^\./);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
        }
      }),
    );
  });

  test('of nothing is a mistake of the caller', () => {
    expect(() => leaseKey({ subnet: undefined, subnet6: undefined })).toThrow(RangeError);
  });
});
