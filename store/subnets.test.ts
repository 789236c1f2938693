import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { decodeNetworkConfig, type SubnetRange } from './network-config.ts';
import { allocationSeed, countSubnets, countTaken, fitsRange, freeSubnet, subnetAt } from './subnets.ts';

function rangeOf(config: object): SubnetRange {
  const { ip4, ip6 } = decodeNetworkConfig(JSON.stringify(config));
  const range = ip4 ?? ip6;
  if (range === undefined) throw new Error('no range');
  return range;
}

const prefixes = (...texts: readonly string[]) => texts.map((text) => Prefix.parse(text));
const small = rangeOf({ Network: '10.0.0.0/24', SubnetLen: 26 });
const wide6 = rangeOf({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/32', IPv6SubnetLen: 126 });

describe('subnets of a range', () => {
  test('are counted and numbered', () => {
    expect(countSubnets(small)).toBe(3n);
    expect([0n, 1n, 2n].map((index) => subnetAt(small, index).toString())).toEqual([
      '10.0.0.64/26',
      '10.0.0.128/26',
      '10.0.0.192/26',
    ]);
    expect(() => subnetAt(small, 3n)).toThrow(RangeError);
    expect(countSubnets(wide6)).toBe((1n << 94n) - 1n);
    expect(subnetAt(wide6, (1n << 94n) - 2n).toString()).toBe('fd00:0:ffff:ffff:ffff:ffff:ffff:fffc/126');
  });

  test('fit when they are of its length, aligned and between min and max', () => {
    expect(prefixes('10.0.0.64/26', '10.0.0.192/26').every((subnet) => fitsRange(small, subnet))).toBe(true);
    const others = prefixes(
      '10.0.0.0/26',
      '10.0.0.64/27',
      '10.0.0.65/26',
      '10.0.1.0/26',
      'fd00::/26',
      '9.0.0.0/26',
    );
    expect(others.some((subnet) => fitsRange(small, subnet))).toBe(false);
  });

  test.each<[readonly string[], string | undefined, bigint, string | undefined]>([
    [[], undefined, 0n, '10.0.0.64/26'],
    [[], undefined, 1n, '10.0.0.128/26'],
    [[], undefined, 5n, '10.0.0.192/26'],
    [[], '10.0.0.192/26', 0n, '10.0.0.192/26'],
    [['10.0.0.192/26'], '10.0.0.192/26', 2n, '10.0.0.64/26'],
    [['10.0.0.64/26'], undefined, 0n, '10.0.0.128/26'],
    // Smaller, larger and foreign prefixes.
    [['10.0.0.70/32', '10.0.0.130/31'], undefined, 0n, '10.0.0.192/26'],
    [['10.0.0.0/25'], undefined, 0n, '10.0.0.128/26'],
    [['10.0.1.0/24', '9.0.0.0/8', 'fd00::/8', '10.0.0.0/26'], undefined, 0n, '10.0.0.64/26'],
    [['0.0.0.0/0'], undefined, 0n, undefined],
    [['10.0.0.64/26', '10.0.0.128/26', '10.0.0.192/26'], '10.0.0.64/26', 1n, undefined],
    // A preference that is not of the range.
    [[], '10.0.0.0/26', 0n, '10.0.0.64/26'],
  ])('with %j taken, %s preferred, from %s: %s', (taken, prefer, seed, expected) => {
    const options = { prefer: prefer === undefined ? undefined : Prefix.parse(prefer), seed };
    expect(freeSubnet(small, prefixes(...taken), options)?.toString()).toBe(expected);
  });

  test('are all given out, one by one, from any start, each once', () => {
    const range = rangeOf({ Network: '10.0.0.0/16', SubnetLen: 22 });
    fc.assert(
      fc.property(fc.bigInt({ min: -10n, max: 1n << 70n }), (seed) => {
        const taken: Prefix[] = [];
        for (
          let subnet = freeSubnet(range, taken, { seed });
          subnet;
          subnet = freeSubnet(range, taken, { seed })
        ) {
          expect(fitsRange(range, subnet)).toBe(true);
          taken.push(subnet);
        }
        expect(new Set(taken.map(String)).size).toBe(63);
        expect(countTaken(range, taken)).toBe(countSubnets(range));
      }),
      { numRuns: 10 },
    );
  });

  test('are found exactly when a search through the whole range finds one', () => {
    const range = rangeOf({ Network: '10.0.0.0/24', SubnetLen: 28 });
    const prefix = fc
      .record({ value: fc.integer({ min: -64, max: 320 }), length: fc.integer({ min: 22, max: 32 }) })
      .map(({ value, length }) => new Prefix(IpAddress.parse('10.0.0.0').plus(value), length));
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 12 }), fc.bigInt({ min: 0n, max: 100n }), (taken, seed) => {
        const all = Array.from({ length: 15 }, (_, index) => subnetAt(range, BigInt(index)));
        const free = all.filter((subnet) => !taken.some((other) => other.overlaps(subnet)));
        const start = Number(seed % 15n);
        const expected = free.find((subnet) => all.indexOf(subnet) >= start) ?? free[0];
        expect(freeSubnet(range, taken, { seed })?.toString()).toBe(expected?.toString());
        expect(countTaken(range, taken)).toBe(BigInt(15 - free.length));
      }),
    );
  });

  test('of both families are found in ranges of any size without listing them', () => {
    const wide = rangeOf({ Network: '10.0.0.0/8', SubnetLen: 24 });
    const start = countSubnets(wide) - 2_500n;
    const taken = Array.from({ length: 5_000 }, (_, index) =>
      subnetAt(wide, (start + BigInt(index)) % countSubnets(wide)),
    );
    expect(freeSubnet(wide, taken, { seed: start })?.toString()).toBe('10.9.197.0/24');
    expect(freeSubnet(wide6, [subnetAt(wide6, 0n)])?.toString()).toBe('fd00::8/126');
    expect(freeSubnet(wide6, [], { seed: 1n << 63n })?.toString()).toBe('fd00:0:0:2::4/126');
  });
});

describe('the seed of a node', () => {
  test('is the same each time and spreads neighbours', () => {
    expect(allocationSeed('n1')).toBe(allocationSeed('n1'));
    const starts = Array.from({ length: 100 }, (_, index) => allocationSeed(`node-${index}`) % 10_000n);
    expect(new Set(starts).size).toBeGreaterThan(95);
  });
});
