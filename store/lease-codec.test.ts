import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import { WireguardKey } from '../net/wireguard-key.ts';
import type { JsonValue } from './go-json.ts';
import type { BackendData, Lease } from './lease.ts';
import { decodeLease, encodeLease } from './lease-codec.ts';
import { parseLeaseKey } from './lease-key.ts';
import { StoreError } from './store-error.ts';

const decode = (key: string, value: string | Uint8Array) =>
  decodeLease(parseLeaseKey(key), value, { object: `subnets/${key}.json` });

function problemsOf(key: string, value: string | Uint8Array): readonly string[] {
  try {
    decode(key, value);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    expect(error.code).toBe('invalid');
    expect(error.object).toBe(`subnets/${key}.json`);
    expect(error.message).toContain(`"subnets/${key}.json"`);
    return error.problems.map(({ field, message }) => `${field}: ${message}`);
  }
  return [];
}

const vxlan = { VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44' };
const good = { PublicIP: '192.168.64.3', PublicIPv6: null, BackendType: 'vxlan', BackendData: vxlan };

describe('a lease value', () => {
  test.each([
    [
      'flannel vxlan',
      '10.5.52.0-24',
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
    ],
    [
      'flannel host-gw',
      '10.5.52.0-24',
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"host-gw"}',
    ],
    ['flannel udp', '10.5.52.0-24', '{"PublicIP":"192.168.64.3","PublicIPv6":null}'],
    [
      'flannel wireguard',
      '10.5.52.0-24',
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"IyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyM=","Port":51820}}',
    ],
    [
      'wireguard of a flannel that says no port',
      '10.5.52.0-24',
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"IyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyM="}}',
    ],
    [
      'a string of the extension backend, escaped as Go does',
      '10.5.52.0-24',
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"extension","BackendData":"\\u003ca\\u0026b\\u003e\\u2028"}',
    ],
    [
      'both families, ours',
      '10.12.13.0-24&fd00:12:13::-56',
      '{"PublicIP":"192.168.64.3","PublicIPv6":"fd00::3","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:46"},"Node":"n1"}',
    ],
    [
      'IPv6 alone, ours',
      'fd00:12:13::-64',
      '{"PublicIP":"0.0.0.0","PublicIPv6":"fd00::3","BackendType":"host-gw","Node":"n1.example"}',
    ],
  ])('%s is read and written again to the byte', (_, key, value) => {
    const lease = decode(key, value);
    expect(encodeLease(lease)).toBe(value);
    expect(decode(key, Buffer.from(value))).toEqual(lease);
  });

  test('becomes parsed values', () => {
    const lease = decode('10.5.52.0-24', JSON.stringify({ ...good, Node: 'n1' }));
    expect(lease).toEqual({
      subnet: Prefix.parse('10.5.52.0/24'),
      subnet6: undefined,
      node: 'n1',
      publicIp: IpAddress.parse('192.168.64.3'),
      publicIp6: undefined,
      backendType: 'vxlan',
      backendData: { kind: 'vxlan', vni: 1, vtepMac: Mac.parse('c6:d2:32:6f:8f:44') },
      backendDataV6: undefined,
      expiresAt: undefined,
    });
  });

  test('is read with keys in any case, as Go reads them, and without keys it does not know', () => {
    const value =
      '{"publicip":"192.168.64.3","BACKENDTYPE":"VXLAN","backenddata":{"vni":7,"vtepmac":"C6:D2:32:6F:8F:44","x":1},"y":[]}';
    expect(encodeLease(decode('10.5.52.0-24', value))).toBe(
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":7,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
    );
  });

  test.each(['host-gw', 'ipip'])('of %s may hold null data, as old flannels write it', (type) => {
    const value = `{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"${type}","BackendData":null}`;
    expect(decode('10.5.52.0-24', value).backendData).toBeUndefined();
  });

  const v4 = '10.5.52.0-24';
  test.each<[string, string, object, readonly string[]]>([
    ['no address', v4, { ...good, PublicIP: undefined }, ['PublicIP: is missing']],
    ['a null address', v4, { ...good, PublicIP: null }, ['PublicIP: is missing']],
    [
      'the unspecified address',
      v4,
      { ...good, PublicIP: '0.0.0.0' },
      ['PublicIP: "0.0.0.0" is the unspecified address'],
    ],
    ['loopback', v4, { ...good, PublicIP: '127.0.0.1' }, ['PublicIP: "127.0.0.1" is a loopback address']],
    ['multicast', v4, { ...good, PublicIP: '224.0.0.9' }, ['PublicIP: "224.0.0.9" is a multicast address']],
    [
      'broadcast',
      v4,
      { ...good, PublicIP: '255.255.255.255' },
      ['PublicIP: "255.255.255.255" is the broadcast address'],
    ],
    [
      'this network',
      v4,
      { ...good, PublicIP: '0.0.0.7' },
      ['PublicIP: "0.0.0.7" is in 0.0.0.0/8, "this network"'],
    ],
    [
      'an IPv6 address in IPv4',
      v4,
      { ...good, PublicIP: 'fd00::1' },
      ['PublicIP: "fd00::1" is not an IPv4 address'],
    ],
    [
      'leading zeros',
      v4,
      { ...good, PublicIP: '192.168.064.3' },
      ['PublicIP: "192.168.064.3" is not an IPv4 address'],
    ],
    ['a number', v4, { ...good, PublicIP: 3232251907 }, ['PublicIP: want a string, not 3232251907']],
    [
      'a command',
      v4,
      { ...good, PublicIP: '1.2.3.4; reboot\u001b[2J' },
      ['PublicIP: "1.2.3.4; reboot\\u001b[2J" is not an IPv4 address'],
    ],
    [
      'bad IPv6 addresses',
      `${v4}&fd00:5:52::-64`,
      { ...good, PublicIPv6: '::ffff:127.0.0.1', BackendV6Data: vxlan },
      ['PublicIPv6: "::ffff:127.0.0.1" is an IPv4-mapped address'],
    ],
    [
      'nothing for the second family',
      `${v4}&fd00:5:52::-64`,
      good,
      ['PublicIPv6: is missing', 'BackendV6Data: is missing'],
    ],
    ['no data', v4, { ...good, BackendData: null }, ['BackendData: is missing']],
    ['data of another form', v4, { ...good, BackendData: 'x' }, ['BackendData: want an object, not "x"']],
    [
      'a zero MAC',
      v4,
      { ...good, BackendData: { ...vxlan, VtepMAC: '00:00:00:00:00:00' } },
      ['BackendData.VtepMAC: "00:00:00:00:00:00" is the zero MAC address'],
    ],
    [
      'a multicast MAC',
      v4,
      { ...good, BackendData: { ...vxlan, VtepMAC: '01:00:5e:00:00:01' } },
      ['BackendData.VtepMAC: "01:00:5e:00:00:01" is a multicast MAC address'],
    ],
    [
      'a bad MAC, VNI and node at once',
      v4,
      { ...good, BackendData: { VNI: 2 ** 24, VtepMAC: 'c6:d2' }, Node: '../n1' },
      [
        'BackendData.VNI: want at most 16777215, not 16777216',
        'BackendData.VtepMAC: "c6:d2" is not a MAC address',
        'Node: "../n1" is not a node name',
      ],
    ],
    [
      'a fraction for VNI',
      v4,
      { ...good, BackendData: { ...vxlan, VNI: 1.5 } },
      ['BackendData.VNI: want an int, not 1.5'],
    ],
    [
      'a list for the type',
      v4,
      { ...good, BackendType: ['vxlan'] },
      ['BackendType: want a string, not ["vxlan"]'],
    ],
    [
      'two spellings of a key',
      v4,
      { ...good, publicIp: '1.2.3.4' },
      ['PublicIP: is given twice, once as "publicIp"'],
    ],
  ])('is refused with %s', (_, key, value, problems) => {
    expect(problemsOf(key, JSON.stringify(value))).toEqual(problems);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['half-written', '{"PublicIP":"192.16', ': it is not JSON (half-written?): "{\\"PublicIP\\":\\"192.16"'],
    ['empty', '', ': it is empty'],
    ['null', 'null', ': want a JSON object, not null'],
    ['a list', '[]', ': want a JSON object, not []'],
    ['not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), ': it is not UTF-8 text'],
    ['with a byte order mark', Buffer.from('\ufeff{}'), ': it is not JSON (half-written?): "\ufeff{}"'],
    ['of 64 KiB and a byte', ' '.repeat(65_537), ': it has 65537 bytes: at most 65536 are taken'],
    [
      'nested without end',
      `{"BackendData":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
      ': it is nested more than 32 deep',
    ],
  ])('is refused when %s', (_, value, problem) => {
    expect(problemsOf('10.5.52.0-24', value)).toEqual([problem]);
  });

  test('cannot reach the prototype', () => {
    const lease = decode('10.5.52.0-24', `{"__proto__":{"Node":"evil"},${JSON.stringify(good).slice(1)}`);
    expect(lease.node).toBeUndefined();
    expect(Object.hasOwn(Object.prototype, 'Node')).toBe(false);
  });

  test('round-trips, whatever the lease', () => {
    const ip4 = fc
      .integer({ min: 0x01000000, max: 0x7effffff })
      .map((value) => IpAddress.fromBigInt(4, BigInt(value)));
    const ip6 = fc
      .bigInt({ min: 1n, max: (1n << 64n) - 1n })
      .map((value) => IpAddress.fromBigInt(6, (0xfdn << 120n) | value));
    const data: fc.Arbitrary<BackendData> = fc
      .record({ vni: fc.nat({ max: 0xffffff }), seed: fc.uint8Array({ minLength: 6, maxLength: 6 }) })
      .map(({ vni, seed }) => ({ kind: 'vxlan', vni, vtepMac: Mac.local(seed) }));
    const wireguard: fc.Arbitrary<BackendData> = fc
      .record({
        bytes: fc
          .uint8Array({ minLength: 32, maxLength: 32 })
          .filter((all) => all.some((byte) => byte !== 0)),
        port: fc.option(fc.integer({ min: 1, max: 0xffff }), { nil: undefined }),
      })
      .map(({ bytes, port }) => ({ kind: 'wireguard', publicKey: WireguardKey.fromBytes(bytes), port }));
    const opaque: fc.Arbitrary<BackendData> = fc
      .jsonValue({ maxDepth: 3 })
      .filter((json) => json !== null)
      // -0 is 0 in JSON.
      .map((json) => ({ kind: 'opaque', json: JSON.parse(JSON.stringify(json)) as JsonValue }));
    const lease: fc.Arbitrary<Lease> = fc
      .record({
        families: fc.constantFrom('4', '6', '46'),
        node: fc.option(fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/), { nil: undefined }),
        publicIp: ip4,
        publicIp6: ip6,
        known: fc.oneof(data, wireguard, opaque),
      })
      .map(({ families, node, publicIp, publicIp6, known: backendData }) => {
        const [has4, has6] = [families.includes('4'), families.includes('6')];
        return {
          subnet: has4 ? Prefix.parse('10.5.52.0/24') : undefined,
          subnet6: has6 ? Prefix.parse('fd00:5:52::/64') : undefined,
          node,
          publicIp: has4 ? publicIp : undefined,
          publicIp6: has6 ? publicIp6 : undefined,
          backendType: backendData.kind === 'opaque' ? 'tencent-vpc' : backendData.kind,
          backendData: has4 ? backendData : undefined,
          backendDataV6: has6 ? backendData : undefined,
          expiresAt: undefined,
        };
      });
    fc.assert(
      fc.property(lease, (value) => {
        const text = encodeLease(value);
        expect(decodeLease(value, text, { object: 'x' })).toEqual(value);
      }),
    );
  });

  test('never throws anything but a StoreError, whatever the bytes', () => {
    const nearly = fc
      .jsonValue()
      .chain((json) =>
        fc.constantFrom(...Object.keys(good), 'Node').map((key) => JSON.stringify({ ...good, [key]: json })),
      );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.string(), fc.json(), nearly), (value) => {
        try {
          decode('10.5.52.0-24', value);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
        }
      }),
    );
  });
});
