import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import { formatResult, mergeResults, ofInterface, readPrevResult, resultOf } from './result.ts';

const ours = resultOf(
  {
    bridge: { name: 'cni0', mac: Mac.parse('02:00:00:00:00:01') },
    host: { name: 'veth1', mac: Mac.parse('02:00:00:00:00:02') },
    pod: { name: 'eth0', mac: Mac.parse('02:00:00:00:00:03'), mtu: 1450 },
    addresses: [
      { address: Prefix.parse('10.0.0.2/24'), gateway: IpAddress.parse('10.0.0.1') },
      { address: Prefix.parse('fd00::2/64'), gateway: IpAddress.parse('fd00::1') },
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
  ])('%j is refused at "%s"', (value, path) => {
    expect(() => readPrevResult(value)).toThrow(
      expect.objectContaining({ code: 6, message: expect.stringContaining(`"${path}"`) }),
    );
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
