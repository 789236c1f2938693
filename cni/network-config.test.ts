import { describe, expect, test } from '@jest/globals';
import { decodeConfig, readConfig } from './network-config.ts';

const least = { cniVersion: '1.0.0', name: 'cbr0' };
const read = (config: object) => readConfig(decodeConfig(JSON.stringify(config)));

test('defaults', () => {
  expect(read(least)).toEqual({
    cniVersion: '1.0.0',
    name: 'cbr0',
    bridge: 'cni0',
    mtu: undefined,
    hairpinMode: true,
    runDirectory: '/run/netloom',
    subnetFile: '/run/flannel/subnet.env',
    ipamDirectory: '/var/lib/cni/networks',
    dns: {},
    prevResult: undefined,
  });
});

test("keys in Go's freedom of case, nulls, and what is not ours", () => {
  const config = read({
    CniVersion: '0.3.1',
    Name: 'net',
    MTU: 1400,
    hairpinmode: false,
    Bridge: null,
    IPAM: { datadir: '/ipam', Type: 'host-local', routes: [] },
    DNS: { Nameservers: ['10.0.0.10'], search: null },
    capabilities: { portMappings: true },
    runtimeConfig: { PortMappings: [] },
    args: { cni: { ips: ['x'] } },
    unknown: [1, { two: 3 }],
  });
  expect(config).toMatchObject({
    cniVersion: '0.3.1',
    name: 'net',
    mtu: 1400,
    bridge: 'cni0',
    hairpinMode: false,
    ipamDirectory: '/ipam',
    dns: { nameservers: ['10.0.0.10'] },
  });
});

describe('refused', () => {
  test.each(['', '{', 'null', '[]', '"text"', '1', '{} {}', '{"a":1}x'])(
    '%j: it cannot be decoded',
    (stdin) => {
      expect(() => decodeConfig(stdin)).toThrow(expect.objectContaining({ code: 6 }));
    },
  );

  test.each([
    [{ name: 'x' }, 1, 'incompatible CNI versions', 'config is "0.1.0", plugin supports ["0.3.0",'],
    [{ name: 'x', cniVersion: '0.2.0' }, 1, 'incompatible CNI versions', '"0.2.0"'],
    [{ name: 'x', cniVersion: '9.9.9' }, 1, 'incompatible CNI versions', '"9.9.9"'],
    [{ name: 'x', cniVersion: 1 }, 1, 'incompatible CNI versions', 'config is 1'],
    [{ cniVersion: '1.0.0' }, 7, 'missing network name', ''],
    [{ ...least, name: '' }, 7, 'missing network name', ''],
    [{ ...least, name: '../x' }, 7, 'invalid network name "../x"', ''],
    [{ ...least, name: 'a b' }, 7, 'invalid network name "a b"', ''],
    [{ ...least, name: 3 }, 7, 'invalid network name 3', ''],
    [{ ...least, mtu: 65536 }, 7, '"mtu" is 65536', ''],
    [{ ...least, mtu: '1500' }, 7, '"mtu" is "1500"', ''],
    [{ ...least, bridge: 'a/b' }, 7, '"bridge" is "a/b"', ''],
    [{ ...least, hairpinMode: 1 }, 7, '"hairpinMode" is 1', ''],
    [{ ...least, runDirectory: 'run' }, 7, '"runDirectory" is "run"', ''],
    [{ ...least, subnetFile: '/a/../b' }, 7, '"subnetFile" is "/a/../b"', ''],
    [{ ...least, ipam: { dataDir: '../x' } }, 7, '"ipam.dataDir" is "../x"', ''],
    [{ ...least, ipam: { type: 'dhcp' } }, 7, '"ipam.type" is "dhcp"', ''],
    [{ ...least, dns: { search: 'x' } }, 7, '"dns.search" is "x"', ''],
  ])('%j: code %d, %s', (config, code, message, details) => {
    expect(() => read(config)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(message),
        details: expect.stringContaining(details),
      }),
    );
  });
});
