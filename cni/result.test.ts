import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import {
  chainedInterface,
  formatResult,
  loopbackResult,
  mergeResults,
  ofInterface,
  readPrevResult,
  resultOf,
} from './result.ts';

const ours = resultOf(
  {
    bridge: { name: 'cni0', mac: Mac.parse('02:00:00:00:00:01') },
    host: { name: 'veth1', mac: Mac.parse('02:00:00:00:00:02') },
    pod: { name: 'eth0', mac: Mac.parse('02:00:00:00:00:03'), mtu: 1450 },
    addresses: [
      { address: Prefix.parse('10.0.0.2/24'), gateway: IpAddress.parse('10.0.0.1') },
      { address: Prefix.parse('fd00::2/64'), gateway: IpAddress.parse('fd00::1') },
    ],
    routes: [
      { destination: Prefix.parse('0.0.0.0/0'), gateway: IpAddress.parse('10.0.0.1') },
      { destination: Prefix.parse('::/0'), gateway: IpAddress.parse('fd00::1') },
    ],
  },
  { netns: '/run/netns/x', dns: {} },
);
const written = (version: Parameters<typeof formatResult>[1]) => JSON.parse(formatResult(ours, version));
const routes = [
  { dst: '0.0.0.0/0', gw: '10.0.0.1' },
  { dst: '::/0', gw: 'fd00::1' },
];

describe('shapes by version', () => {
  const interfaces = [
    { name: 'cni0', mac: '02:00:00:00:00:01' },
    { name: 'veth1', mac: '02:00:00:00:00:02' },
    { name: 'eth0', mac: '02:00:00:00:00:03', sandbox: '/run/netns/x' },
  ];
  const ips = [
    { address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 2 },
    { address: 'fd00::2/64', gateway: 'fd00::1', interface: 2 },
  ];

  test.each(['0.3.0', '0.3.1', '0.4.0'] as const)('%s tells the families of addresses', (version) => {
    expect(written(version)).toEqual({
      cniVersion: version,
      interfaces,
      ips: [
        { version: '4', ...ips[0] },
        { version: '6', ...ips[1] },
      ],
      routes,
      dns: {},
    });
  });

  test.each(['0.1.0', '0.2.0'] as const)(
    '%s has one address of each family, and no interfaces',
    (version) => {
      expect(written(version)).toEqual({
        cniVersion: version,
        ip4: { ip: '10.0.0.2/24', gateway: '10.0.0.1', routes: [routes[0]] },
        ip6: { ip: 'fd00::2/64', gateway: 'fd00::1', routes: [routes[1]] },
        dns: {},
      });
      const more = mergeResults(ours, {
        interfaces: [],
        ips: [{ address: '10.9.0.9/24' }],
        routes: [],
        dns: {},
      });
      expect(JSON.parse(formatResult(more, version)).ip4.ip).toBe('10.0.0.2/24');
      const one = { interfaces: [], ips: [{ address: '10.9.0.9/24' }], routes: [], dns: {} };
      expect(JSON.parse(formatResult(one, version))).toEqual({
        cniVersion: version,
        ip4: { ip: '10.9.0.9/24' },
        dns: {},
      });
    },
  );

  test.each(['0.1.0', '0.2.0'] as const)('%s cannot tell of a pod without addresses', (version) => {
    expect(() => formatResult({ ...ours, ips: [] }, version)).toThrow(
      expect.objectContaining({
        code: 7,
        message: `Cannot answer in version "${version}": its results have an address, and the pod got none`,
      }),
    );
    expect(JSON.parse(formatResult({ ...ours, ips: [] }, '0.3.0')).ips).toEqual([]);
  });

  test('1.0.0 does not', () => {
    expect(written('1.0.0')).toEqual({ cniVersion: '1.0.0', interfaces, ips, routes, dns: {} });
  });

  test('1.1.0 has the MTU', () => {
    const [bridge, host, pod] = interfaces;
    expect(written('1.1.0')).toEqual({
      cniVersion: '1.1.0',
      interfaces: [bridge, { ...host, mtu: 1450 }, { ...pod, mtu: 1450 }],
      ips,
      routes,
      dns: {},
    });
  });
});

test('routes of the configuration: table and scope may be 0, the others are left out', () => {
  const wired = {
    bridge: { name: 'cni0', mac: undefined },
    host: { name: 'veth1', mac: Mac.parse('02:00:00:00:00:02') },
    pod: { name: 'eth0', mac: Mac.parse('02:00:00:00:00:03'), mtu: 1450 },
    addresses: [{ address: Prefix.parse('10.0.0.2/24'), gateway: IpAddress.parse('10.0.0.1') }],
  };
  const none = { gateway: undefined, mtu: undefined, advmss: undefined, priority: undefined };
  const routed = {
    ...wired,
    routes: [
      { ...none, destination: Prefix.parse('10.0.0.0/8'), table: 0, scope: 0 },
      {
        destination: Prefix.parse('0.0.0.0/0'),
        gateway: IpAddress.parse('10.0.0.1'),
        mtu: 1400,
        advmss: 1360,
        priority: 9,
        table: undefined,
        scope: undefined,
      },
    ],
  };
  const result = resultOf(routed, { netns: '/n', dns: { domain: 'a.example' } });
  expect(JSON.parse(formatResult(result, '1.1.0')).routes).toEqual([
    { dst: '10.0.0.0/8', table: 0, scope: 0 },
    { dst: '0.0.0.0/0', gw: '10.0.0.1', mtu: 1400, advmss: 1360, priority: 9 },
  ]);
  expect(JSON.parse(formatResult(result, '1.0.0'))).toMatchObject({
    routes: [{ dst: '10.0.0.0/8' }, { dst: '0.0.0.0/0', gw: '10.0.0.1' }],
    dns: { domain: 'a.example' },
  });
});

test("the loopback's, in every version", () => {
  const result = loopbackResult('/run/netns/x');
  expect(JSON.parse(formatResult(result, '0.3.1'))).toEqual({
    cniVersion: '0.3.1',
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/run/netns/x' }],
    ips: [
      { version: '4', address: '127.0.0.1/8', interface: 0 },
      { version: '6', address: '::1/128', interface: 0 },
    ],
    routes: [],
    dns: {},
  });
  expect(JSON.parse(formatResult(result, '0.2.0'))).toMatchObject({
    ip4: { ip: '127.0.0.1/8' },
    ip6: { ip: '::1/128' },
  });
});

describe('prevResult', () => {
  test.each([undefined, null])('%j is none', (value) => {
    expect(readPrevResult(value)).toBeUndefined();
  });

  test('is read in any case, with nulls and missing lists', () => {
    expect(
      readPrevResult({
        CNIVersion: '0.4.0',
        IPs: [{ Address: '10.0.0.9/8', gateway: null }],
        interfaces: null,
      }),
    ).toEqual({
      cniVersion: '0.4.0',
      interfaces: [],
      ips: [{ address: '10.0.0.9/8' }],
      routes: [],
      dns: {},
    });
  });

  test.each([
    ['text', ''],
    [{ ips: {} }, 'ips'],
    [{ ips: [{ address: 'x' }] }, 'ips.0.address'],
    [{ interfaces: [{}] }, 'interfaces.0.name'],
    [{ routes: [1] }, 'routes.0'],
    [{ routes: [{ dst: 'default' }] }, 'routes.0.dst'],
    [{ routes: [{ dst: '10.0.0.0/8', gw: 'x' }] }, 'routes.0.gw'],
    [{ routes: [{ dst: '10.0.0.0/8', table: 'main' }] }, 'routes.0.table'],
    [{ ips: [{ address: '10.0.0.9/8', gateway: 'x' }] }, 'ips.0.gateway'],
    [{ ips: [{ address: '10.0.0.9/8', interface: 0 }] }, 'ips.0.interface'],
    [{ interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.9/8', interface: 1 }] }, 'ips.0.interface'],
    [{ interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.9/8', interface: -1 }] }, 'ips.0.interface'],
    [{ interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.9/8', interface: '0' }] }, 'ips.0.interface'],
    [{ dns: 7 }, 'dns'],
    [{ ip4: { ip: 'x' } }, 'ip4.ip'],
    [{ ip6: 7 }, 'ip6'],
  ])('%j is refused at "%s"', (value, path) => {
    expect(() => readPrevResult(value)).toThrow(
      expect.objectContaining({ code: 6, message: expect.stringContaining(`"${path}"`) }),
    );
  });

  test('of 0.2.0 is read', () => {
    const result = readPrevResult({
      cniVersion: '0.2.0',
      IP4: { IP: '10.0.0.9/24', gateway: '10.0.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }] },
      ip6: { ip: 'fd00::9/64' },
    });
    expect(result).toEqual({
      cniVersion: '0.2.0',
      interfaces: [],
      ips: [{ address: '10.0.0.9/24', gateway: '10.0.0.1' }, { address: 'fd00::9/64' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
      dns: {},
    });
  });

  test('hands on foreign keys, also its own', () => {
    const previous = readPrevResult({
      cniVersion: '0.4.0',
      vendor: { a: [1] },
      dns: { Search: ['x'], own: 1 },
    });
    expect(JSON.parse(formatResult(previous ?? ours, '1.0.0'))).toEqual({
      cniVersion: '1.0.0',
      interfaces: [],
      ips: [],
      routes: [],
      dns: { search: ['x'], own: 1 },
      vendor: { a: [1] },
    });
  });

  test('goes first, with its own keys; our addresses name our interface', () => {
    const previous = readPrevResult({
      interfaces: [{ name: 'ifb0', pciID: 'x', socketPath: '/s' }],
      ips: [{ version: '4', address: '192.0.2.1/24', interface: 0, own: true }],
      routes: [{ dst: '192.0.2.0/24', table: 7 }],
      dns: { nameservers: ['192.0.2.53'] },
    });
    const merged = mergeResults(previous, ours);
    expect(JSON.parse(formatResult(merged, '1.1.0'))).toMatchObject({
      interfaces: [
        { name: 'ifb0', pciID: 'x', socketPath: '/s' },
        { name: 'cni0' },
        { name: 'veth1' },
        { name: 'eth0' },
      ],
      ips: [{ address: '192.0.2.1/24', interface: 0, own: true }, { interface: 3 }, { interface: 3 }],
      routes: [{ dst: '192.0.2.0/24', table: 7 }, ...routes],
      dns: { nameservers: ['192.0.2.53'] },
    });
    const old = JSON.parse(formatResult(merged, '0.4.0'));
    expect(old.interfaces[0]).toEqual({ name: 'ifb0' });
    expect(old.routes[0]).toEqual({ dst: '192.0.2.0/24' });
    expect(old.ips[0]).toEqual({ version: '4', address: '192.0.2.1/24', interface: 0, own: true });
  });
});

test('what a result says of one interface', () => {
  expect(ofInterface(ours, 'eth0')).toEqual({
    mac: '02:00:00:00:00:03',
    addresses: [Prefix.parse('10.0.0.2/24'), Prefix.parse('fd00::2/64')],
    routes: [
      { destination: Prefix.parse('0.0.0.0/0'), gateway: IpAddress.parse('10.0.0.1') },
      { destination: Prefix.parse('::/0'), gateway: IpAddress.parse('fd00::1') },
    ],
  });
  expect(ofInterface(ours, 'cni0')).toBeUndefined();
  expect(ofInterface(ours, 'eth1')).toBeUndefined();
});

describe('an interface of an earlier plugin', () => {
  const previous = {
    interfaces: [
      { name: 'eth0' },
      { name: 'veth7', mac: '02:00:00:00:00:01' },
      { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/n' },
      { name: 'net1', mac: 'x', sandbox: '/n' },
    ],
    ips: [
      { address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 2 },
      { address: 'fd00::2/64', interface: 2, gateway: '' },
      { address: '10.1.0.2/24', interface: 3 },
      { address: '10.2.0.2/24' },
    ],
    routes: [],
    dns: {},
  };

  test('is the one in the pod, with addresses of its own and of none', () => {
    expect(chainedInterface(previous, 'eth0')).toEqual({
      name: 'eth0',
      mac: Mac.parse('02:00:00:00:00:02'),
      sandbox: '/n',
      addresses: [
        { address: Prefix.parse('10.0.0.2/24'), gateway: IpAddress.parse('10.0.0.1') },
        { address: Prefix.parse('fd00::2/64'), gateway: undefined },
        { address: Prefix.parse('10.2.0.2/24'), gateway: undefined },
      ],
    });
    expect(chainedInterface(previous, 'net1')).toMatchObject({ mac: undefined });
  });

  test.each(['veth7', 'eth1', ''])('%j is none', (name) => {
    expect(chainedInterface(previous, name)).toBeUndefined();
  });
});
