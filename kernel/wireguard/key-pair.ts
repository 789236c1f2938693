// Keys of Curve25519 (RFC 7748): a new private one, and the public one that belongs to it.
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { WireguardKey } from '../../net/wireguard-key.ts';

/** What stands before the 32 bytes of an X25519 key in PKCS #8 (RFC 8410). */
const pkcs8Head = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** As the kernel gives it back (`clamped`). */
export function newPrivateKey(): WireguardKey {
  return clamped(WireguardKey.fromBytes(randomBytes(32)));
}

/** The same key in the form that the kernel keeps: bits that mean nothing are as RFC 7748 sets them. */
export function clamped(key: WireguardKey): WireguardKey {
  const bytes = Uint8Array.from(key.bytes);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return WireguardKey.fromBytes(bytes);
}

export function publicKeyOf(privateKey: WireguardKey): WireguardKey {
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Head, privateKey.bytes]),
    format: 'der',
    type: 'pkcs8',
  });
  return WireguardKey.fromBytes(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}
