import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { IpAddress } from './address.ts';

const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
// Groups are often zero or IPv4-mapped, so that "::" is met in every place.
const ip6 = fc
  .array(fc.constantFrom(0, 0, 0xffff, 1, 0xabcd, 0x10), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
const bytes = fc.oneof(ip4, ip6, fc.uint8Array({ minLength: 16, maxLength: 16 }));

describe('IpAddress', () => {
  test.each([
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['10.244.1.9', '10.244.1.9'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['FD00:0::00A', 'fd00::a'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:2:0:0:3', '1::2:2:0:0:3'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ])('reads %s and prints %s', (text, canonical) => {
    expect(IpAddress.parse(text).toString()).toBe(canonical);
  });

  test.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '01.2.3.4',
    '1.2.3.00',
    '256.1.1.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4/32',
    '1.2.3.-4',
    '0x1.2.3.4',
    '١.٢.٣.٤',
    ':',
    ':::',
    ':1',
    '1:',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '00001::',
    '::g',
    '::1/64',
    'fe80::1%eth0',
    '::ffff:01.2.3.4',
    '::1.2.3',
    '1.2.3.4::',
    `::${'1'.repeat(100)}`,
  ])('refuses %j', (text) => {
    expect(IpAddress.tryParse(text)).toBeUndefined();
    expect(() => IpAddress.parse(text)).toThrow(`Cannot parse IP address "${text}"`);
  });

  test('reads what it prints, and prints as the ip-address package does', () => {
    fc.assert(
      fc.property(bytes, (raw) => {
        const address = IpAddress.fromBytes(raw);
        const text = address.toString();
        expect(IpAddress.parse(text).bytes).toEqual(raw);
        if (address.isIp4Mapped) return;
        const oracle =
          raw.length === 4
            ? Address4.fromByteArray([...raw]).correctForm()
            : Address6.fromBigInt(address.toBigInt()).correctForm();
        expect(text).toBe(oracle);
      }),
    );
  });

  test('never throws anything but its own error, whatever the text', () => {
    const nearly = fc.string({ unit: fc.constantFrom(...'0123456789af.:%/ '), maxLength: 48 });
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (text) => {
        const address = IpAddress.tryParse(text);
        if (address !== undefined) expect(IpAddress.parse(address.toString()).equals(address)).toBe(true);
      }),
    );
  });

  test('is its number, and adds as numbers do', () => {
    fc.assert(
      fc.property(bytes, fc.integer(), (raw, count) => {
        const address = IpAddress.fromBytes(raw);
        const value = address.toBigInt();
        expect(IpAddress.fromBigInt(address.family, value).equals(address)).toBe(true);
        const sum = value + BigInt(count);
        if (sum < 0n || sum >> BigInt(raw.length * 8) !== 0n) {
          expect(() => address.plus(count)).toThrow(RangeError);
        } else {
          expect(address.plus(count).toBigInt()).toBe(sum);
          expect(address.plus(BigInt(count)).toBigInt()).toBe(sum);
        }
      }),
    );
  });

  test('sorts as numbers do, IPv4 first', () => {
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        const [a, b] = [IpAddress.fromBytes(left), IpAddress.fromBytes(right)];
        const [x, y] = [a.toBigInt(), b.toBigInt()];
        const order = a.family === b.family ? Number(x > y) - Number(x < y) : a.family - b.family;
        expect(Math.sign(a.compare(b))).toBe(Math.sign(order));
        expect(a.equals(b)).toBe(order === 0);
      }),
    );
  });

  test.each([
    ['0.0.0.0', 'isUnspecified'],
    ['::', 'isUnspecified'],
    ['127.8.9.1', 'isLoopback'],
    ['::1', 'isLoopback'],
    ['224.0.0.1', 'isMulticast'],
    ['239.255.0.1', 'isMulticast'],
    ['ff02::1', 'isMulticast'],
    ['169.254.1.1', 'isLinkLocal'],
    ['fe80::1', 'isLinkLocal'],
    ['febf::1', 'isLinkLocal'],
    ['255.255.255.255', 'isBroadcast'],
    ['::ffff:127.0.0.1', 'isIp4Mapped'],
    ['10.0.0.1', undefined],
    ['240.0.0.1', undefined],
    ['fec0::1', undefined],
    ['::2', undefined],
    ['::fffe:1.2.3.4', undefined],
    ['1::ffff:1.2.3.4', undefined],
  ] as const)('%s is of kind %s only', (text, kind) => {
    const address = IpAddress.parse(text);
    const kinds = [
      'isUnspecified',
      'isLoopback',
      'isMulticast',
      'isLinkLocal',
      'isBroadcast',
      'isIp4Mapped',
    ] as const;
    expect(kinds.filter((name) => address[name])).toEqual(kind === undefined ? [] : [kind]);
  });

  test('keeps a copy of the bytes it is given', () => {
    const raw = Uint8Array.of(10, 0, 0, 1);
    const address = IpAddress.fromBytes(raw);
    raw[0] = 11;
    expect(address.toString()).toBe('10.0.0.1');
    expect(JSON.stringify({ address })).toBe('{"address":"10.0.0.1"}');
  });

  test('refuses bytes and numbers outside of the families', () => {
    expect(() => IpAddress.fromBytes(new Uint8Array(5))).toThrow('of 5 bytes: 4 or 16 are needed');
    expect(() => IpAddress.fromBigInt(4, 1n << 32n)).toThrow('IPv4 address of 4294967296: out of range');
    expect(() => IpAddress.fromBigInt(6, -1n)).toThrow(RangeError);
  });
});
