import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { addressWord, contains, PeerRoutes, peerWords, prefixWords } from './peer-routes.ts';

const row = (subnet: string, publicIp: string) => ({
  subnet: Prefix.parse(subnet),
  publicIp: IpAddress.parse(publicIp),
});
const word = (text: string): number => addressWord(IpAddress.parse(text));

test('the peer of a destination, the longest prefix first', () => {
  const routes = new PeerRoutes(
    peerWords([
      row('10.244.2.0/24', '192.0.2.2'),
      row('10.244.3.0/24', '192.0.2.3'),
      row('10.244.128.0/17', '192.0.2.4'),
      row('10.244.200.0/23', '192.0.2.5'),
      row('10.244.7.7/32', '255.255.255.254'),
    ]),
  );
  const found = (destination: string) => routes.receiverOf(word(destination));
  expect(found('10.244.2.0')).toBe(word('192.0.2.2'));
  expect(found('10.244.2.255')).toBe(word('192.0.2.2'));
  expect(found('10.244.3.1')).toBe(word('192.0.2.3'));
  expect(found('10.244.199.1')).toBe(word('192.0.2.4'));
  expect(found('10.244.201.1')).toBe(word('192.0.2.5'));
  expect(found('10.244.202.1')).toBe(word('192.0.2.4'));
  expect(found('10.244.7.7')).toBe(word('255.255.255.254'));
  expect(found('10.244.7.8')).toBeUndefined();
  expect(found('11.244.2.1')).toBeUndefined();
  expect(routes.count).toBe(5);
});

test('the subnet of a sender', () => {
  const routes = new PeerRoutes(peerWords([row('10.244.2.0/24', '192.0.2.2')]));
  expect(routes.subnetOf(word('192.0.2.2'))).toEqual(prefixWords(Prefix.parse('10.244.2.0/24')));
  expect(routes.subnetOf(word('192.0.2.3'))).toBeUndefined();
});

test('nobody', () => {
  const routes = new PeerRoutes(peerWords([]));
  expect(routes.receiverOf(word('10.244.2.1'))).toBeUndefined();
  expect(routes.subnetOf(0)).toBeUndefined();
});

test('prefixes as words hold what they hold as prefixes', () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(IpAddress.fromBytes);
  fc.assert(
    fc.property(address, fc.nat(32), address, fc.nat(32), (one, length, other, shared) => {
      const prefix = new Prefix(one, length);
      // An address that has so many bits in common.
      const near = IpAddress.fromBytes(
        one.bytes.map((byte, i) => {
          const bits = Math.min(8, Math.max(0, shared - 8 * i));
          const mask = (0xff00 >> bits) & 0xff;
          return (byte & mask) | ((other.bytes[i] ?? 0) & ~mask & 0xff);
        }),
      );
      for (const each of [one, other, near]) {
        expect(contains(prefixWords(prefix), addressWord(each))).toBe(prefix.contains(each));
      }
    }),
  );
});
