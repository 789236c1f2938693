import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { WireguardKey } from '../../net/wireguard-key.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { caseKey, casePeer } from './driver-cases.ts';
import { joinParts } from './join-parts.ts';
import type { WireguardStep } from './objects.ts';
import { readPart, wireguardMessage, writeRead, writeStep } from './wire.ts';

function encoded(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(16);
  write(out);
  return Buffer.from(out.bytes());
}

const hex = (text: string) => text.replaceAll(/\s+/g, '');
const key2 = Buffer.from(casePeer(2).publicKey.bytes).toString('hex');
const zeros = '00'.repeat(32);
const link = '0c000200 77672d7465737400';

// By linux/wireguard.h: IFNAME 2, PRIVATE_KEY 3, LISTEN_PORT 6, PEERS 8; of a peer PUBLIC_KEY 1, PRESHARED_KEY 2, FLAGS 3, ENDPOINT 4,
// PERSISTENT_KEEPALIVE_INTERVAL 5, ALLOWEDIPS 9; of an allowed address FAMILY 1, IPADDR 2, CIDR_MASK 3.
describe('on the wire', () => {
  test.each<readonly [string, WireguardStep, string]>([
    [
      'a device without a key',
      { kind: 'device-set', link: 'wg-test', device: { privateKey: undefined, listenPort: 51820 } },
      `01010000 ${link} 24000300 ${zeros} 06000600 6cca0000`,
    ],
    [
      'a peer',
      {
        kind: 'peer-set',
        link: 'wg-test',
        peer: casePeer(2, { keepaliveSeconds: 25 }),
        keepsEndpoint: false,
      },
      `01010000 ${link} 94000880 90000080 24000100 ${key2} 24000200 ${zeros} 08000300 02000000
       14000400 0200 ca6c c0000202 0000000000000000 06000500 19000000
       20000980 1c000080 06000100 02000000 08000200 0af40200 05000300 18000000`,
    ],
    [
      'a peer with an IPv6 endpoint',
      {
        kind: 'peer-set',
        link: 'wg-test',
        peer: casePeer(2, { endpoint: { address: IpAddress.parse('2001:db8::4'), port: 1 }, allowedIps: [] }),
        keepsEndpoint: false,
      },
      `01010000 ${link} 84000880 80000080 24000100 ${key2} 24000200 ${zeros} 08000300 02000000
       20000400 0a00 0001 00000000 20010db8000000000000000000000004 00000000 06000500 00000000 04000980`,
    ],
    [
      'a peer that goes',
      { kind: 'peer-delete', link: 'wg-test', publicKey: casePeer(2).publicKey },
      `01010000 ${link} 34000880 30000080 24000100 ${key2} 08000300 01000000`,
    ],
  ])('%s', (_, step, expected) => {
    expect(encoded((out) => writeStep(out, step)).toString('hex')).toBe(hex(expected));
  });

  test('a question', () => {
    expect(encoded((out) => writeRead(out, 'wg-test')).toString('hex')).toBe(hex(`00010000 ${link}`));
  });
});

describe('an answer', () => {
  const part = (attributes: object) =>
    readPart(
      new ByteReader(encoded((out) => wireguardMessage.write(out, { command: 0, version: 1, attributes }))),
    );
  const allowed = (text: string) => {
    const { address, length } = Prefix.parse(text);
    return { WGALLOWEDIP_A_FAMILY: 2, WGALLOWEDIP_A_IPADDR: address, WGALLOWEDIP_A_CIDR_MASK: length };
  };
  const { publicKey } = casePeer(2);

  test('in two messages is one device, and a peer in both is one peer', () => {
    const device = joinParts([
      part({
        WGDEVICE_A_LISTEN_PORT: 51820,
        WGDEVICE_A_PRIVATE_KEY: caseKey(1),
        WGDEVICE_A_PEERS: [
          { WGPEER_A_PUBLIC_KEY: casePeer(3).publicKey },
          {
            WGPEER_A_PUBLIC_KEY: publicKey,
            WGPEER_A_PRESHARED_KEY: WireguardKey.fromBytes(new Uint8Array(32)),
            WGPEER_A_LAST_HANDSHAKE_TIME: { seconds: 1_000n, nanoseconds: 5_000_000n },
            WGPEER_A_RX_BYTES: 7n,
            WGPEER_A_ALLOWEDIPS: [allowed('10.244.2.0/25')],
          },
        ],
      }),
      part({
        WGDEVICE_A_PEERS: [
          { WGPEER_A_PUBLIC_KEY: publicKey, WGPEER_A_ALLOWEDIPS: [allowed('10.244.2.128/25')] },
        ],
      }),
    ]);
    expect([device?.listenPort, device?.privateKey?.equals(caseKey(1)), device?.peers.size]).toEqual([
      51820,
      true,
      2,
    ]);
    expect(device?.peers.get(publicKey.toString())).toEqual({
      publicKey,
      presharedKey: undefined,
      endpoint: undefined,
      keepaliveSeconds: 0,
      allowedIps: [Prefix.parse('10.244.2.0/25'), Prefix.parse('10.244.2.128/25')],
      lastHandshake: 1_000_005,
      receivedBytes: 7n,
      sentBytes: 0n,
    });
  });

  test('without a message is no device', () => {
    expect(joinParts([])).toBeUndefined();
  });

  test('that is spoilt fails only with DecodeError', () => {
    const bytes = encoded((out) =>
      writeStep(out, { kind: 'peer-set', link: 'wg-test', peer: casePeer(2), keepsEndpoint: false }),
    );
    const spoilt = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(spoilt, fc.nat(bytes.length), (changes, length) => {
        const copy = Buffer.from(bytes);
        for (const [index, byte] of changes) copy[index] = byte;
        try {
          readPart(new ByteReader(copy.subarray(0, length)));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});
