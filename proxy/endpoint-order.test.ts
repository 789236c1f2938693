import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { compareEndpoints } from './endpoint-order.ts';

test.each([4, 16] as const)('is the order of the texts (%d bytes)', (length) => {
  // Few different bytes, so that many addresses begin with another.
  const byte = fc.constantFrom(0, 1, 10, 11, 100, 110, 255);
  const place = fc.record({
    address: fc
      .array(byte, { minLength: length, maxLength: length })
      .map((bytes) => IpAddress.fromBytes(Uint8Array.from(bytes))),
    port: fc.constantFrom(8, 80, 81, 8080, 9),
  });
  const textOf = ({ address, port }: { readonly address: IpAddress; readonly port: number }) =>
    length === 4 ? `${address}:${port}` : `[${address}]:${port}`;
  fc.assert(
    fc.property(place, place, (a, b) => {
      const [left, right] = [textOf(a), textOf(b)];
      expect(Math.sign(compareEndpoints(a, b))).toBe(left < right ? -1 : left > right ? 1 : 0);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['10.0.0.10', '10.0.0.1'],
  ['10.0.0.1', '10.0.0.2'],
  ['fd00::1:1', 'fd00::1'],
  ['fd00::', 'fd00::a'],
  ['fd00::1', 'fd00::1a'],
  ['fd00::10', 'fd00::1'],
])('%s before %s', (first, second) => {
  const [a, b] = [
    { address: IpAddress.parse(first), port: 80 },
    { address: IpAddress.parse(second), port: 80 },
  ];
  expect([Math.sign(compareEndpoints(a, b)), Math.sign(compareEndpoints(b, a))]).toEqual([-1, 1]);
});

test('ports of one address are compared as text', () => {
  const address = IpAddress.parse('10.0.0.1');
  expect(compareEndpoints({ address, port: 8080 }, { address, port: 81 })).toBeLessThan(0);
  expect(compareEndpoints({ address, port: 80 }, { address, port: 80 })).toBe(0);
});
