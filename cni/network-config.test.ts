import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { decodeConfig, readConfig } from './network-config.ts';

const least = { cniVersion: '1.0.0', name: 'cbr0' };
const read = (config: object, environment = {}) =>
  readConfig(decodeConfig(JSON.stringify(config)), environment);
const refused = (config: object, environment = {}) => {
  try {
    read(config, environment);
    return undefined;
  } catch (error) {
    return error;
  }
};

test('defaults', () => {
  expect(read(least)).toEqual({
    cniVersion: '1.0.0',
    name: 'cbr0',
    role: 'pod',
    bridge: {
      name: 'cni0',
      mtu: undefined,
      hairpin: true,
      promiscuous: false,
      isGateway: true,
      isDefaultGateway: true,
      forceAddress: false,
      ipMasq: false,
      vlan: undefined,
      vlanTrunk: [],
      preserveDefaultVlan: true,
      macSpoofCheck: false,
      enableDad: false,
      portIsolation: false,
    },
    ipam: { kind: 'node', directory: '/var/lib/cni/networks', routes: [] },
    ports: { mappings: [], backend: 'nftables', masquerade: 'needed' },
    bandwidth: undefined,
    mac: undefined,
    requested: [],
    dns: {},
    aliases: [],
    pod: undefined,
    runDirectory: '/run/netloom',
    stateDirectory: '/var/lib/netloom',
    subnetFile: '/run/flannel/subnet.env',
    flannelDirectory: '/var/lib/cni/flannel',
    prevResult: undefined,
  });
});

test("keys in Go's freedom of case at every level, nulls, and what is not ours", () => {
  const config = read(
    {
      CniVersion: '0.3.1',
      Name: 'net',
      TYPE: 'bridge',
      MTU: 1400,
      hairpinmode: false,
      Bridge: null,
      Rundirectory: '/r',
      IPAM: {
        datadir: '/ipam',
        Type: 'host-local',
        RANGES: [[{ Subnet: '10.1.0.0/24', RANGESTART: '10.1.0.9', rangeEnd: null, GATEWAY: '' }]],
        Routes: [{ DST: '10.0.0.0/8', GW: '10.1.0.1', Scope: 0 }],
      },
      DNS: { Nameservers: ['10.0.0.10'], Domain: 'z.example', search: null },
      Snat: false,
      capabilities: { portMappings: true },
      RuntimeConfig: {
        PortMappings: [{ HostPort: 80, ContainerPort: 8080, Protocol: 'TCP', HostIP: '' }],
        Bandwidth: { IngressRate: 8, IngressBurst: 4294967295, EgressRate: 0 },
        DNS: { Servers: ['10.9.9.9'], Searches: ['a.example'], Options: ['ndots:5'] },
        IPs: ['10.1.0.20/24'],
        MAC: '02:00:00:00:00:07',
      },
      Args: { CNI: { Labels: [], IPS: ['10.1.0.30'] } },
      unknown: [1, { two: 3 }],
    },
    { CNI_ARGS: 'IgnoreUnknown=1;X=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0' },
  );
  expect(config).toMatchObject({
    cniVersion: '0.3.1',
    name: 'net',
    bridge: { name: 'cni0', mtu: 1400, hairpin: false },
    runDirectory: '/r',
    ports: { mappings: [{ protocol: 'tcp', hostPort: 80, containerPort: 8080 }], masquerade: 'none' },
    bandwidth: { ingress: { rate: 8, burst: 4294967295 }, egress: undefined },
    dns: { domain: 'z.example', nameservers: ['10.9.9.9'], search: ['a.example'], options: ['ndots:5'] },
    requested: [IpAddress.parse('10.1.0.20')],
    mac: Mac.parse('02:00:00:00:00:07'),
    pod: { namespace: 'default', name: 'web-0' },
  });
  expect(JSON.parse(JSON.stringify(config.ipam))).toEqual({
    kind: 'ranges',
    directory: '/ipam',
    routes: [{ destination: '10.0.0.0/8', gateway: '10.1.0.1', scope: 0 }],
    sets: [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.9' }]],
  });
});

describe('whose work it is', () => {
  test.each([
    [{}, 'eth0', 'pod'],
    [{ type: 'netloom-cni' }, 'eth0', 'pod'],
    [{ type: 'bridge' }, 'eth0', 'pod'],
    [{ type: 'loopback' }, 'eth0', 'loopback'],
    [{ type: 'netloom-cni' }, 'lo', 'loopback'],
    [{ type: 'flannel' }, 'eth0', 'flannel'],
    [{ type: 'flannel' }, 'lo', 'loopback'],
    [{ type: 'netloom-cni', Delegate: {} }, 'eth0', 'flannel'],
    [{ delegate: null }, 'eth0', 'pod'],
  ])('%j, %s: %s', (more, ifname, role) => {
    expect(read({ ...least, ...more }, { CNI_IFNAME: ifname }).role).toBe(role);
  });

  test('a loopback gets no addresses, and its runtimeConfig is not looked at', () => {
    const config = { ...least, type: 'loopback', runtimeConfig: { mac: 'x' } };
    expect(read(config)).toMatchObject({ ipam: { kind: 'none' }, mac: undefined });
  });

  test('a bridge of the network: defaults of the reference', () => {
    const config = { ...least, type: 'bridge', ipam: { type: 'host-local', subnet: '10.1.0.0/24' } };
    expect(read(config).bridge).toMatchObject({ hairpin: false, isGateway: false, isDefaultGateway: false });
    expect(read({ ...least, ipam: {} }).bridge).toMatchObject({ hairpin: false, isGateway: false });
  });
});

describe('what a runtime wants', () => {
  const runtimeConfig = { mac: '02:00:00:00:00:01', ips: ['10.0.0.1'] };
  const args = { cni: { mac: '02:00:00:00:00:02', ips: ['10.0.0.2', 'fd00::2', '10.0.0.2'] } };
  const environment = { CNI_ARGS: 'IP=10.0.0.3/24,fd00::3;MAC=02:00:00:00:00:03' };
  test.each([
    [{ runtimeConfig, args }, environment, '02:00:00:00:00:01', ['10.0.0.1']],
    [{ args }, environment, '02:00:00:00:00:02', ['10.0.0.2', 'fd00::2']],
    [{ args: { cni: {} } }, environment, '02:00:00:00:00:03', ['10.0.0.3', 'fd00::3']],
    [{ mac: '02:00:00:00:00:04' }, environment, '02:00:00:00:00:03', ['10.0.0.3', 'fd00::3']],
    [{ mac: '02:00:00:00:00:04', runtimeConfig: { mac: '' } }, {}, '02:00:00:00:00:04', []],
    [{}, { CNI_ARGS: '' }, undefined, []],
  ])('%j, %j: %s, %j', (more, env, mac, ips) => {
    const config = read({ ...least, ...more }, env);
    expect(config.mac?.toString()).toBe(mac);
    expect(config.requested.map(String)).toEqual(ips);
  });

  test('DNS: its fields over those of the configuration, which keeps the rest', () => {
    const dns = { nameservers: ['10.0.0.10'], domain: 'a.example', search: ['b.example'], options: [] };
    expect(
      read({ ...least, dns, runtimeConfig: { dns: { servers: ['10.0.0.11'], searches: [] } } }).dns,
    ).toEqual({
      nameservers: ['10.0.0.11'],
      domain: 'a.example',
      search: ['b.example'],
    });
  });

  test.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [{ cbr0: ['a'], other: ['b'] }, ['a']],
    [{ other: ['b'] }, []],
    [undefined, []],
  ])('aliases %j: %j', (aliases, expected) => {
    expect(read({ ...least, runtimeConfig: { aliases } }).aliases).toEqual(expected);
  });

  test('a network may have the name of what every object has', () => {
    const config = { ...least, name: 'constructor', runtimeConfig: { aliases: { cbr0: ['a'] } } };
    expect(read(config).aliases).toEqual([]);
  });

  test('bandwidth: over that of the configuration', () => {
    const config = { ...least, ingressRate: 1, ingressBurst: 2 };
    expect(read(config).bandwidth).toEqual({ ingress: { rate: 1, burst: 2 }, egress: undefined });
    const runtime = { bandwidth: { egressRate: 3, egressBurst: 4 } };
    expect(read({ ...config, runtimeConfig: runtime }).bandwidth).toEqual({
      ingress: undefined,
      egress: { rate: 3, burst: 4 },
    });
  });

  test.each([
    [{ runtimeConfig: { mac: 'x' } }, {}],
    [{ runtimeConfig: { portMappings: [{ hostPort: 99999, containerPort: 1 }] } }, {}],
    [{ args: { cni: { ips: ['x'] } } }, {}],
    [{}, { CNI_ARGS: 'IP=x' }],
  ])('what is wrong with it does not stop DEL: %j %j', (more, env) => {
    expect(refused({ ...least, ...more }, { ...env, CNI_COMMAND: 'ADD' })).toBeDefined();
    expect(read({ ...least, ...more }, { ...env, CNI_COMMAND: 'DEL' })).toEqual(read(least));
  });

  test('GC and STATUS are about no pod: CNI_ARGS is not looked at', () => {
    expect(read(least, { CNI_ARGS: 'x', CNI_COMMAND: 'GC' })).toEqual(read(least));
    expect(read(least, { CNI_ARGS: 'x', CNI_COMMAND: 'STATUS' })).toEqual(read(least));
  });
});

describe('versions', () => {
  test.each([
    [{ name: 'x' }, '0.1.0'],
    [{ name: 'x', cniVersion: '' }, '0.1.0'],
    [{ name: 'x', cniVersion: null }, '0.1.0'],
    [{ name: 'x', cniVersion: '0.2.0' }, '0.2.0'],
    [{ name: 'x', cniVersion: '1.1.0' }, '1.1.0'],
  ])('%j: %s', (config, version) => {
    expect(read(config).cniVersion).toBe(version);
  });

  test.each([
    ['9.9.9', 'config is "9.9.9", plugin supports ["0.1.0","0.2.0",'],
    ['1.0', 'config is "1.0"'],
    [1, 'config is 1'],
    [{}, 'config is {}'],
  ])('%j is refused', (cniVersion, details) => {
    expect(refused({ name: 'x', cniVersion })).toMatchObject({
      code: 1,
      message: 'incompatible CNI versions',
      details: expect.stringContaining(details),
    });
  });
});

describe('refused', () => {
  const nested = (depth: number) => `{"name":"x","a":${'['.repeat(depth)}${']'.repeat(depth)}}`;

  test.each(['', '{', 'null', '[]', '"text"', '1', '{} {}', '{"a":1}x', nested(64), nested(500_000)])(
    '%#: it cannot be decoded',
    (stdin) => {
      expect(() => decodeConfig(stdin)).toThrow(expect.objectContaining({ code: 6 }));
    },
  );

  test('nested 60 deep is fine', () => {
    expect(readConfig(decodeConfig(nested(60)), {}).name).toBe('x');
  });

  test.each([
    [{ cniVersion: '1.0.0' }, 'missing network name'],
    [{ ...least, name: '' }, 'missing network name'],
    [{ ...least, name: '../x' }, 'invalid network name "../x"'],
    [{ ...least, name: 'a b' }, 'invalid network name "a b"'],
    [{ ...least, name: 3 }, 'invalid network name 3'],
    [{ cniVersion: '9.9.9', name: '..' }, 'invalid network name ".."'],
    [{ ...least, type: '../../sbin/reboot' }, '"type" is "../../sbin/reboot": want a name without "/"'],
    [{ ...least, type: 1 }, '"type" is 1: want text'],
    [{ ...least, runDirectory: 'run' }, '"runDirectory" is "run": want an absolute path without'],
    [{ ...least, runDirectory: '/a\0b' }, '"runDirectory" is "/a\\u0000b"'],
    [{ ...least, runDirectory: `/${'x'.repeat(5000)}` }, `"runDirectory" is "/${'x'.repeat(98)}...: want`],
    [{ ...least, stateDirectory: '/a/..' }, '"stateDirectory" is "/a/.."'],
    [{ ...least, subnetFile: '/a/../b' }, '"subnetFile" is "/a/../b"'],
    [{ ...least, type: 'flannel', dataDir: 'x' }, '"dataDir" is "x"'],
    [{ ...least, mac: '01:00:00:00:00:00' }, '"mac" is "01:00:00:00:00:00": want a unicast MAC'],
    [{ ...least, mac: '00:00:00:00:00:00' }, '"mac" is "00:00:00:00:00:00"'],
    [{ ...least, dns: { search: 'x' } }, '"dns.search" is "x": want a list'],
    [
      { ...least, dns: { nameservers: ['1\n2'] } },
      '"dns.nameservers.0" is "1\\n2": want text without control',
    ],
    [{ ...least, dns: [] }, '"dns" is []: want an object'],
    [{ ...least, runtimeConfig: 'x' }, '"runtimeConfig" is "x": want an object'],
    [{ ...least, runtimeConfig: { mac: 'x' } }, '"runtimeConfig.mac" is "x"'],
    [{ ...least, runtimeConfig: { ips: ['10.0.0.1', 'x'] } }, '"runtimeConfig.ips.1" is "x"'],
    [{ ...least, runtimeConfig: { ips: ['0.0.0.0'] } }, '"runtimeConfig.ips.0" is "0.0.0.0"'],
    [{ ...least, runtimeConfig: { ips: ['127.0.0.2'] } }, '"runtimeConfig.ips.0" is "127.0.0.2"'],
    [{ ...least, runtimeConfig: { ips: ['::ffff:10.0.0.1'] } }, '"runtimeConfig.ips.0" is "::ffff:10.0.0.1"'],
    [{ ...least, runtimeConfig: { ips: '10.0.0.1' } }, '"runtimeConfig.ips" is "10.0.0.1": want a list'],
    [{ ...least, runtimeConfig: { dns: { servers: [1] } } }, '"runtimeConfig.dns.servers.0" is 1: want text'],
    [{ ...least, runtimeConfig: { aliases: [1] } }, '"runtimeConfig.aliases.0" is 1'],
    [{ ...least, runtimeConfig: { aliases: { a: 'x' } } }, '"runtimeConfig.aliases.a" is "x"'],
    [{ ...least, runtimeConfig: { aliases: 'x' } }, '"runtimeConfig.aliases" is "x"'],
    [{ ...least, args: 1 }, '"args" is 1'],
    [{ ...least, args: { cni: { mac: 'ff:ff:ff:ff:ff:ff' } } }, '"args.cni.mac" is "ff:ff:ff:ff:ff:ff"'],
    [{ ...least, args: { cni: { ips: ['x'] } } }, '"args.cni.ips.0" is "x"'],
  ])('%j: %s', (config, message) => {
    expect(refused(config)).toMatchObject({ code: 7, message: expect.stringContaining(message) });
  });
});
