import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { WireguardKey } from '../net/wireguard-key.ts';
import { type BackendConfig, defaultBackend } from './backend-config.ts';
import { decodeNetworkConfig, type NetworkConfig, type SubnetRange } from './network-config.ts';
import { StoreError } from './store-error.ts';

const decode = (value: object) => decodeNetworkConfig(JSON.stringify(value));

const show = (range: SubnetRange | undefined) =>
  range && `${range.network} /${range.subnetLength} ${range.min.address}..${range.max.address}`;

function problemsOf(value: object): readonly string[] {
  try {
    decode(value);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return error.problems.map(({ field, message }) => `${field}: ${message}`);
  }
  return [];
}

const v6 = { EnableIPv4: false, EnableIPv6: true };

const psk = 'IyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyM=';
const wireguard: BackendConfig = {
  kind: 'wireguard',
  listenPort: 51820,
  listenPortV6: 51821,
  presharedKey: undefined,
  mtu: undefined,
  keepaliveSeconds: 0,
  mode: 'separate',
};

describe('a network configuration', () => {
  test.each<[object, string | undefined, string | undefined]>([
    [{ Network: '10.244.0.0/16' }, '10.244.0.0/16 /24 10.244.1.0..10.244.255.0', undefined],
    [{ Network: '10.0.0.0/22' }, '10.0.0.0/22 /24 10.0.1.0..10.0.3.0', undefined],
    [{ Network: '10.0.0.0/23' }, '10.0.0.0/23 /25 10.0.0.128..10.0.1.128', undefined],
    [{ Network: '10.0.0.0/28' }, '10.0.0.0/28 /30 10.0.0.4..10.0.0.12', undefined],
    [{ Network: '10.1.2.3/16', SubnetLen: 28 }, '10.1.0.0/16 /28 10.1.0.16..10.1.255.240', undefined],
    [
      { Network: '10.0.0.0/8', SubnetLen: 20, SubnetMin: '10.10.0.0', SubnetMax: '10.99.0.0' },
      '10.0.0.0/8 /20 10.10.0.0..10.99.0.0',
      undefined,
    ],
    [
      { Network: '10.0.0.0/16', SubnetMin: '10.0.0.0', SubnetMax: '0.0.0.0', SubnetLen: 0 },
      '10.0.0.0/16 /24 10.0.0.0..10.0.255.0',
      undefined,
    ],
    [{ network: '10.0.0.0/16', SUBNETLEN: 26 }, '10.0.0.0/16 /26 10.0.0.64..10.0.255.192', undefined],
    [
      { Network: '10.0.0.0/16', IPv6Network: 'fd00::/48', EnableIPv6: true },
      '10.0.0.0/16 /24 10.0.1.0..10.0.255.0',
      'fd00::/48 /64 fd00:0:0:1::..fd00:0:0:ffff::',
    ],
    [{ ...v6, IPv6Network: 'fd00::/124' }, undefined, 'fd00::/124 /126 fd00::4..fd00::c'],
    [{ ...v6, IPv6Network: 'fd00::/63' }, undefined, 'fd00::/63 /65 fd00::8000:0:0:0..fd00:0:0:1:8000::'],
    [
      {
        ...v6,
        IPv6Network: 'fd00::/32',
        IPv6SubnetLen: 56,
        IPv6SubnetMin: 'fd00:0:0:100::',
        IPv6SubnetMax: 'fd00:0:1::',
      },
      undefined,
      'fd00::/32 /56 fd00:0:0:100::..fd00:0:1::',
    ],
    // Values of a family that is off are not looked at.
    [{ Network: '10.0.0.0/16', IPv6SubnetLen: 999 }, '10.0.0.0/16 /24 10.0.1.0..10.0.255.0', undefined],
  ])('%j gives %s and %s', (value, ip4, ip6) => {
    const config = decode(value);
    expect(show(config.ip4)).toBe(ip4);
    expect(show(config.ip6)).toBe(ip6);
  });

  const net = { Network: '10.0.0.0/16' };
  test.each<[object, readonly string[]]>([
    [{}, ['Network: is missing']],
    [{ Network: null }, ['Network: is missing']],
    [{ EnableIPv4: false }, ['EnableIPv4: is false, and EnableIPv6 is too']],
    [{ Network: '10.0.0.0' }, ['Network: "10.0.0.0" is not an IPv4 network (ADDRESS/LENGTH)']],
    [{ Network: 'fd00::/48' }, ['Network: "fd00::/48" is not an IPv4 network (ADDRESS/LENGTH)']],
    [{ Network: '0.0.0.0/0' }, ['Network: "0.0.0.0/0" is not a range that pods can use']],
    [{ Network: '127.0.0.0/8' }, ['Network: "127.0.0.0/8" is not a range that pods can use']],
    [
      { Network: '10.0.0.0/29' },
      ['Network: "10.0.0.0/29" is too small: at most /28 has four subnets of four addresses'],
    ],
    [{ ...net, SubnetLen: 17 }, ['SubnetLen: 17 does not fit Network "10.0.0.0/16": want 18 to 30']],
    [{ ...net, SubnetLen: 31 }, ['SubnetLen: 31 does not fit Network "10.0.0.0/16": want 18 to 30']],
    [{ ...net, SubnetLen: -1 }, ['SubnetLen: -1 does not fit Network "10.0.0.0/16": want 18 to 30']],
    [{ ...net, SubnetLen: '24' }, ['SubnetLen: want a number, not "24"']],
    [
      { Network: '10.0.0.0/29', SubnetLen: 30 },
      ['SubnetLen: 30 does not fit: Network "10.0.0.0/29" is too small for four subnets'],
    ],
    [{ ...net, SubnetMin: '10.1.0.0' }, ['SubnetMin: "10.1.0.0" is not in Network "10.0.0.0/16"']],
    [
      { ...net, SubnetMin: '10.0.1.1', SubnetMax: '10.0.9.128' },
      [
        'SubnetMin: "10.0.1.1" is not on a /24 boundary: the one before it is "10.0.1.0"',
        'SubnetMax: "10.0.9.128" is not on a /24 boundary: the one before it is "10.0.9.0"',
      ],
    ],
    [
      { ...net, SubnetMin: '10.0.9.0', SubnetMax: '10.0.8.0' },
      ['SubnetMin: "10.0.9.0" is above SubnetMax "10.0.8.0"'],
    ],
    [{ ...v6 }, ['IPv6Network: is missing']],
    [
      { ...v6, IPv6Network: 'fd00::/48', IPv6SubnetLen: 127 },
      ['IPv6SubnetLen: 127 does not fit IPv6Network "fd00::/48": want 50 to 126'],
    ],
    [
      { ...v6, IPv6Network: 'fd00::/48', IPv6SubnetMax: 'fd00:1::' },
      ['IPv6SubnetMax: "fd00:1::" is not in IPv6Network "fd00::/48"'],
    ],
    [{ ...net, EnableIPv6: 'yes' }, ['EnableIPv6: want a boolean, not "yes"']],
    [{ ...net, Backend: {} }, ['Backend.Type: is missing']],
    [{ ...net, Backend: 'vxlan' }, ['Backend: want an object, not "vxlan"']],
    [
      { SubnetLen: 31, Backend: { Type: 'vxlan', VNI: 2 ** 24, Port: 70_000, MTU: 100, GBP: 1 } },
      [
        'Network: is missing',
        'Backend.VNI: want at most 16777215, not 16777216',
        'Backend.Port: want at most 65535, not 70000',
        'Backend.MTU: want 0 (of the interface) or at least 576',
        'Backend.GBP: want a boolean, not 1',
      ],
    ],
    // What may be a secret is not said.
    [
      {
        ...net,
        Backend: {
          Type: 'wireguard',
          ListenPort: 0,
          PSK: 'sesame',
          PersistentKeepaliveInterval: -1,
          Mode: 'mesh',
        },
      },
      [
        'Backend.ListenPort: want at least 1, not 0',
        'Backend.PSK: want 32 bytes in base64, as "wg genpsk" prints them',
        'Backend.PersistentKeepaliveInterval: want at least 0, not -1',
        'Backend.Mode: want one of "separate", "auto", "ipv4", "ipv6", not "mesh"',
      ],
    ],
  ])('%j is refused', (value, problems) => {
    expect(problemsOf(value)).toEqual(problems);
  });

  test.each<[unknown, NetworkConfig['backend']]>([
    [undefined, defaultBackend],
    [null, defaultBackend],
    [
      { Type: 'vxlan' },
      {
        kind: 'vxlan',
        vni: 1,
        port: 8472,
        mtu: undefined,
        gbp: false,
        learning: false,
        directRouting: false,
      },
    ],
    [
      { type: 'VXLAN', vni: 4096, PORT: 4789, mtu: 1400, gbp: true, learning: true, directrouting: true },
      { kind: 'vxlan', vni: 4096, port: 4789, mtu: 1400, gbp: true, learning: true, directRouting: true },
    ],
    [
      { Type: 'vxlan', VNI: 0, Port: 0, MTU: 0 },
      { ...defaultBackend, vni: 0 },
    ],
    [{ Type: 'Host-GW' }, { kind: 'host-gw' }],
    [{ Type: 'alloc' }, { kind: 'alloc' }],
    [{ Type: 'ipip' }, { kind: 'ipip', directRouting: false }],
    [
      { Type: 'IPIP', directRouting: true },
      { kind: 'ipip', directRouting: true },
    ],
    [{ Type: 'wireguard' }, wireguard],
    [
      {
        Type: 'WireGuard',
        listenPort: 1,
        ListenPortV6: 65535,
        PSK: psk,
        MTU: 1400,
        PersistentKeepaliveInterval: 25,
        Mode: 'auto',
      },
      {
        kind: 'wireguard',
        listenPort: 1,
        listenPortV6: 65535,
        presharedKey: WireguardKey.parse(psk),
        mtu: 1400,
        keepaliveSeconds: 25,
        mode: 'auto',
      },
    ],
    [{ Type: 'wireguard', PSK: '', MTU: 0, ListenPort: null }, wireguard],
    [{ Type: 'UDP' }, { kind: 'udp', port: 8285 }],
    [
      { Type: 'udp', port: 9000 },
      { kind: 'udp', port: 9000 },
    ],
    [
      { Type: 'udp', Port: 0 },
      { kind: 'udp', port: 8285 },
    ],
    [
      { Type: 'tencent-vpc', x: 1 },
      { kind: 'opaque', type: 'tencent-vpc', options: { Type: 'tencent-vpc', x: 1 } },
    ],
  ])('has for the backend %j: %j', (backend, expected) => {
    expect(decode({ ...net, Backend: backend }).backend).toEqual(expected);
  });

  test('says whether nftables are wanted', () => {
    expect(decode(net).nftables).toBe(false);
    expect(decode({ ...net, EnableNFTables: true }).nftables).toBe(true);
  });

  test('reads the ConfigMap of kube-flannel.yml', () => {
    const text = `{
      "Network": "10.244.0.0/16",
      "EnableNFTables": false,
      "Backend": {
        "Type": "vxlan"
      }
    }`;
    expect(decodeNetworkConfig(text).backend).toEqual(defaultBackend);
  });

  test('that is half-written is an error of its own kind', () => {
    expect(() => decodeNetworkConfig('{"Network": "10.', 'lab/config')).toThrow(
      'Cannot read "lab/config": it is not JSON (half-written?): "{\\"Network\\": \\"10."',
    );
  });

  test('never throws anything but a StoreError', () => {
    const key = fc.constantFrom(
      'Network',
      'SubnetLen',
      'SubnetMin',
      'IPv6Network',
      'IPv6SubnetLen',
      'Backend',
    );
    const text = fc.constantFrom('10.0.0.0', '::', '10.0.0.0/30', 'fd00::/125', '0.0.0.0/1', '::/1');
    fc.assert(
      fc.property(fc.dictionary(key, fc.oneof(text, fc.jsonValue(), fc.integer())), (value) => {
        try {
          decode({ EnableIPv6: true, ...value });
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
        }
      }),
    );
  });
});
