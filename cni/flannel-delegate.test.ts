import { describe, expect, test } from '@jest/globals';
import { parseSubnetEnv } from '../agent/wiring/subnet-env.ts';
import { delegatePath, delegateText, flannelDelegate, readDelegateText } from './flannel-delegate.ts';
import { decodeConfig, readConfig } from './network-config.ts';

const read = (more: object) =>
  readConfig(
    decodeConfig(JSON.stringify({ name: 'cbr0', cniVersion: '0.3.1', type: 'flannel', ...more })),
    {},
  );
const asText = (value: unknown) => JSON.parse(JSON.stringify(value));

const ip4 = parseSubnetEnv(
  'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
);
const both = parseSubnetEnv(
  'FLANNEL_NETWORK=10.244.0.0/16,10.245.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_NETWORK=fd00::/56\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n',
);

describe('what the pod gets', () => {
  test("kube-flannel's configuration", () => {
    const config = read({ delegate: { hairpinMode: true, isDefaultGateway: true } });
    expect(config).toMatchObject({ role: 'flannel', ipam: { kind: 'node' } });
    const { bridge, ipam } = flannelDelegate(config, ip4);
    expect(bridge).toMatchObject({
      name: 'cni0',
      mtu: 1450,
      hairpin: true,
      isGateway: true,
      isDefaultGateway: true,
      ipMasq: false,
    });
    expect(asText(ipam)).toEqual({
      kind: 'ranges',
      directory: '/var/lib/cni/networks',
      sets: [[{ subnet: '10.244.1.0/24' }]],
      routes: [{ destination: '10.244.0.0/16' }],
    });
  });

  test('both families, several networks, no masquerading by the agent', () => {
    const { bridge, ipam } = flannelDelegate(read({}), both);
    expect(bridge).toMatchObject({
      mtu: 1430,
      hairpin: false,
      isGateway: true,
      isDefaultGateway: false,
      ipMasq: true,
    });
    expect(asText(ipam)).toMatchObject({
      sets: [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:0:0:1::/64' }]],
      routes: [
        { destination: '10.244.0.0/16' },
        { destination: '10.245.0.0/16' },
        { destination: 'fd00::/56' },
      ],
    });
  });

  test('what the configuration says wins, but for the ranges', () => {
    const config = read({
      delegate: { MTU: 1300, IPMasq: true, ISGateway: false, bridge: 'br1', dns: { domain: 'a.example' } },
      ipam: {
        dataDir: '/d',
        Ranges: [[{ subnet: '192.0.2.0/24' }]],
        routes: [{ dst: '10.96.0.0/12', gw: '10.244.1.20' }],
      },
      dns: { domain: 'unused.example' },
      dataDir: '/flannel',
      runtimeConfig: { ipRanges: [[{ subnet: '10.9.0.0/24' }]] },
    });
    expect(config).toMatchObject({ flannelDirectory: '/flannel', dns: { domain: 'a.example' } });
    const { bridge, ipam } = flannelDelegate(config, ip4);
    expect(bridge).toMatchObject({ name: 'br1', mtu: 1300, ipMasq: true, isGateway: false });
    expect(asText(ipam)).toEqual({
      kind: 'ranges',
      directory: '/d',
      sets: [[{ subnet: '10.9.0.0/24' }], [{ subnet: '10.244.1.0/24' }]],
      routes: [{ destination: '10.96.0.0/12', gateway: '10.244.1.20' }, { destination: '10.244.0.0/16' }],
    });
  });
});

describe("flannel's file", () => {
  test('is named by the container', () => {
    expect(delegatePath(read({}), 'abc')).toBe('/var/lib/cni/flannel/abc');
  });

  // The first as flannel's own tests have it (flannel_linux_test.go), which have no version.
  test.each([
    [
      { cniVersion: undefined },
      {
        ipMasq: false,
        ipam: {
          routes: [{ dst: '10.244.0.0/16' }],
          ranges: [[{ subnet: '10.244.1.0/24' }]],
          type: 'host-local',
        },
        isGateway: true,
        mtu: 1450,
        name: 'cbr0',
        type: 'bridge',
      },
    ],
    [
      {
        delegate: { type: 'netloom-cni', hairpinMode: true, own: { a: 1 } },
        ipam: { 'unknown-param': 'x', dataDir: '/d' },
        runtimeConfig: { mac: '02:00:00:00:00:01' },
      },
      {
        cniVersion: '0.3.1',
        ipMasq: false,
        ipam: {
          'unknown-param': 'x',
          dataDir: '/d',
          routes: [{ dst: '10.244.0.0/16' }],
          ranges: [[{ subnet: '10.244.1.0/24' }]],
          type: 'host-local',
        },
        isGateway: true,
        mtu: 1450,
        name: 'cbr0',
        type: 'bridge',
        hairpinMode: true,
        own: { a: 1 },
        runtimeConfig: { mac: '02:00:00:00:00:01' },
      },
    ],
  ])('%j', (more, expected) => {
    const config = read(more);
    const text = delegateText(config, ip4);
    expect(JSON.parse(text)).toEqual(expected);
    const back = readDelegateText(text, config);
    const made = flannelDelegate(config, ip4);
    expect(back).toMatchObject({ name: 'cbr0', role: 'flannel' });
    expect(asText(back?.ipam)).toEqual(asText(made.ipam));
  });

  test('of another network: its name and directory, our own paths', () => {
    const current = read({ runDirectory: '/r', stateDirectory: '/s', dataDir: '/f' });
    const text =
      '{"name":"other","type":"bridge","ipam":{"type":"host-local","dataDir":"/d","ranges":[[{"subnet":"10.1.0.0/24"}]]}}';
    expect(readDelegateText(text, current)).toMatchObject({
      name: 'other',
      runDirectory: '/r',
      stateDirectory: '/s',
      flannelDirectory: '/f',
      ipam: { directory: '/d' },
    });
  });

  test('keys that bridge passes over do not spoil it', () => {
    const config = read({ delegate: { conditionsV4: 'x', ingressRate: -1, runDirectory: 7 } });
    expect(readDelegateText(delegateText(config, ip4), config)).toMatchObject({ ipam: { kind: 'ranges' } });
  });

  test.each(['', '{', '{}', '[]', '{"name":"x","ipam":{"type":"dhcp"}}'])('%j is none of ours', (text) => {
    expect(readDelegateText(text, read({}))).toBeUndefined();
  });
});

test.each([
  [{ delegate: 'x' }, 7, '"delegate" is "x": want an object'],
  [{ delegate: { name: 'x' } }, 7, '"delegate.name" is "x": flannel sets it itself'],
  [{ delegate: { IPAM: {} } }, 7, '"delegate.ipam" is {}: flannel sets it itself'],
  [{ delegate: { type: 'ipvlan' } }, 2, '"delegate.type" is "ipvlan": pods are put on a bridge'],
  [{ delegate: { type: 1 } }, 2, '"delegate.type" is 1'],
  [{ delegate: { vlan: 5000 } }, 7, '"delegate.vlan" is 5000'],
  [{ delegate: { dns: { search: 1 } } }, 7, '"delegate.dns.search" is 1'],
  [{ ipam: { type: 'calico-ipam' } }, 2, '"ipam.type" is "calico-ipam"'],
  [{ ipam: { routes: 'x' } }, 7, '"ipam.routes" is "x"'],
  [{ ipam: 7 }, 7, '"ipam" is 7'],
])('%j is refused: code %d, %s', (more, code, message) => {
  expect(() => read(more)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});
