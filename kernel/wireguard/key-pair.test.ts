import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { WireguardKey } from '../../net/wireguard-key.ts';
import { clamped, newPrivateKey, publicKeyOf } from './key-pair.ts';

const secretOf = (mine: WireguardKey, theirs: WireguardKey): string =>
  diffieHellman({
    privateKey: createPrivateKey({
      key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), mine.bytes]),
      format: 'der',
      type: 'pkcs8',
    }),
    publicKey: createPublicKey({
      key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), theirs.bytes]),
      format: 'der',
      type: 'spki',
    }),
  }).toString('hex');

test('two nodes agree by each other’s public keys', () => {
  const [one, other] = [newPrivateKey(), newPrivateKey()];
  expect(one.equals(other)).toBe(false);
  expect(secretOf(one, publicKeyOf(other))).toBe(secretOf(other, publicKeyOf(one)));
});

test('a new key is as the kernel keeps it', () => {
  const key = newPrivateKey();
  expect(clamped(key).equals(key)).toBe(true);
  // RFC 7748, section 5: three low bits off, the highest off, the second highest on.
  const all = clamped(WireguardKey.fromBytes(new Uint8Array(32).fill(255)));
  expect([all.bytes[0], all.bytes[31]]).toEqual([0xf8, 0x7f]);
  const none = clamped(WireguardKey.fromBytes(new Uint8Array(32)));
  expect([none.bytes[0], none.bytes[31]]).toEqual([0, 0x40]);
  expect(publicKeyOf(all).equals(publicKeyOf(WireguardKey.fromBytes(new Uint8Array(32).fill(255))))).toBe(
    true,
  );
});
