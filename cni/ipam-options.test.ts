import { describe, expect, test } from '@jest/globals';
import { readIpam, readRangeSets } from './ipam-options.ts';

const input = { cniVersion: '1.0.0', runtimeSets: [] } as const;
/** As text: addresses and prefixes by their own. */
const read = (value: unknown, more: object = {}) =>
  JSON.parse(JSON.stringify(readIpam(value, { ...input, ...more })));

const directory = '/var/lib/cni/networks';

test.each([
  [undefined, { kind: 'node', directory, routes: [] }],
  [{}, { kind: 'none' }],
  [{ type: '' }, { kind: 'none' }],
  [{ type: '', subnet: 'x' }, { kind: 'none' }],
  [{ type: 'host-local' }, { kind: 'node', directory, routes: [] }],
  [
    { type: 'netloom', dataDir: '/d', ranges: [], resolvConf: '/etc/r' },
    { kind: 'node', directory: '/d', routes: [], resolvConf: '/etc/r' },
  ],
  [
    { type: 'netloom-cni', dataDir: '', resolvConf: '' },
    { kind: 'node', directory, routes: [] },
  ],
  [
    {
      type: 'host-local',
      subnet: '10.1.0.0/24',
      rangeStart: '10.1.0.5',
      rangeEnd: '10.1.0.9',
      gateway: '10.1.0.4',
    },
    {
      kind: 'ranges',
      directory,
      routes: [],
      sets: [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.5', rangeEnd: '10.1.0.9', gateway: '10.1.0.4' }]],
    },
  ],
  [
    {
      type: 'host-local',
      subnet: '10.1.0.0/30',
      ranges: [[{ subnet: '10.2.0.0/24' }, { subnet: '10.3.0.0/24' }], [{ subnet: 'fd00::/126' }]],
      resolvConf: '/etc/resolv.conf',
      routes: [
        { dst: '0.0.0.0/0' },
        { dst: 'fd00::/8', gw: 'fd00::1', mtu: 1400, advmss: 0, priority: 5, table: 0, scope: 253 },
      ],
    },
    {
      kind: 'ranges',
      directory,
      resolvConf: '/etc/resolv.conf',
      routes: [
        { destination: '0.0.0.0/0' },
        { destination: 'fd00::/8', gateway: 'fd00::1', mtu: 1400, priority: 5, table: 0, scope: 253 },
      ],
      sets: [
        [{ subnet: '10.1.0.0/30' }],
        [{ subnet: '10.2.0.0/24' }, { subnet: '10.3.0.0/24' }],
        [{ subnet: 'fd00::/126' }],
      ],
    },
  ],
])('%j', (value, expected) => {
  expect(read(value)).toEqual(expected);
});

test("the runtime's ranges go first, and make ranges of a node's network", () => {
  const runtimeSets = readRangeSets([[{ subnet: '10.9.0.0/24' }]], 'x');
  expect(read({ type: 'host-local', subnet: '10.1.0.0/24' }, { runtimeSets }).sets).toEqual([
    [{ subnet: '10.9.0.0/24' }],
    [{ subnet: '10.1.0.0/24' }],
  ]);
  expect(read(undefined, { runtimeSets }).sets).toEqual([[{ subnet: '10.9.0.0/24' }]]);
});

test('a configuration of flannel need not name the type', () => {
  expect(read({}, { typeImplied: true }).kind).toBe('node');
  expect(read({ type: '' }, { typeImplied: true }).kind).toBe('none');
});

describe('two addresses of a family', () => {
  const two = { type: 'host-local', ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/24' }]] };
  const dual = { type: 'host-local', ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]] };

  test.each(['0.1.0', '0.2.0'] as const)('are too many for %s', (cniVersion) => {
    expect(() => read(two, { cniVersion })).toThrow(
      expect.objectContaining({
        code: 7,
        message: `Cannot use the network configuration: "cniVersion" is "${cniVersion}": more than one address of a family needs 0.3.0`,
      }),
    );
    expect(read(dual, { cniVersion }).sets).toHaveLength(2);
  });

  test('are fine with 0.3.0', () => {
    expect(read(two, { cniVersion: '0.3.0' }).sets).toHaveLength(2);
  });
});

describe('refused', () => {
  const local = { type: 'host-local' };
  const range = (more: object) => ({
    ...local,
    ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/24', ...more }]],
  });
  const route = (more: object) => ({ ...local, routes: [{ dst: '10.1.0.0/16', ...more }] });
  test.each([
    [[], 7, '"ipam" is []: want an object'],
    ['x', 7, '"ipam" is "x"'],
    [{ type: 'dhcp' }, 2, `"ipam.type" is "dhcp": addresses come from host-local's format only`],
    [{ type: 1 }, 7, '"ipam.type" is 1: want text'],
    [{ ...local, dataDir: '../x' }, 7, '"ipam.dataDir" is "../x"'],
    [{ ...local, dataDir: '/a/../x' }, 7, '"ipam.dataDir" is "/a/../x"'],
    [{ ...local, resolvConf: 'x' }, 7, '"ipam.resolvConf" is "x"'],
    [{ ...local, subnet: 'x' }, 7, '"ipam.subnet" is "x": want ADDRESS/LENGTH'],
    [{ ...local, subnet: '10.1.0.0' }, 7, '"ipam.subnet" is "10.1.0.0"'],
    [{ ...local, subnet: '10.1.0.0/33' }, 7, '"ipam.subnet" is "10.1.0.0/33"'],
    [{ ...local, subnet: '::ffff:10.1.0.0/120' }, 7, '"ipam.subnet" is "::ffff:10.1.0.0/120"'],
    [
      { ...local, subnet: '10.1.0.1/24' },
      7,
      '"ipam.subnet" is "10.1.0.1/24": has host bits; the subnet is 10.1.0.0/24',
    ],
    [{ ...local, subnet: '10.1.0.0/31' }, 7, '"ipam.subnet" is "10.1.0.0/31": too small: want at most /30'],
    [{ ...local, subnet: 'fd00::/127' }, 7, '"ipam.subnet" is "fd00::/127": too small: want at most /126'],
    [{ ...local, rangeStart: '10.1.0.5' }, 7, '"ipam.rangeStart" is "10.1.0.5": there is no "subnet"'],
    [
      { ...local, subnet: '10.1.0.0/24', gateway: 'x' },
      7,
      '"ipam.gateway" is "x": want an IPv4 or IPv6 address',
    ],
    [
      { ...local, subnet: '10.1.0.0/24', gateway: '10.2.0.1' },
      7,
      '"ipam.gateway" is "10.2.0.1": is not in subnet 10.1.0.0/24',
    ],
    [{ ...local, ranges: {} }, 7, '"ipam.ranges" is {}'],
    [
      { ...local, ranges: [{ subnet: '10.1.0.0/24' }] },
      7,
      '"ipam.ranges.0" is {"subnet":"10.1.0.0/24"}: want a list',
    ],
    [{ ...local, ranges: [[]] }, 7, '"ipam.ranges.0" is []: want at least one range'],
    [{ ...local, ranges: [[{}]] }, 7, '"ipam.ranges.0.0.subnet" is absent: want text'],
    [
      { ...local, ranges: [[{ subnet: '10.1.0.0/24' }, { subnet: 'fd00::/64' }]] },
      7,
      `"ipam.ranges.0.1.subnet" is "fd00::/64": the set's family is IPv4`,
    ],
    [
      range({ rangeStart: '10.1.0.5' }),
      7,
      '"ipam.ranges.1.0.rangeStart" is "10.1.0.5": is not in subnet 10.2.0.0/24',
    ],
    [range({ rangeEnd: 'fd00::1' }), 7, '"ipam.ranges.1.0.rangeEnd" is "fd00::1"'],
    [range({ gateway: 7 }), 7, '"ipam.ranges.1.0.gateway" is 7'],
    [{ ...local, routes: [{}] }, 7, '"ipam.routes.0.dst" is absent'],
    [{ ...local, routes: ['x'] }, 7, '"ipam.routes.0" is "x": want an object'],
    [
      route({ dst: '10.1.0.1/16' }),
      7,
      '"ipam.routes.0.dst" is "10.1.0.1/16": has host bits; the network is 10.1.0.0/16',
    ],
    [
      route({ gw: 'fd00::1' }),
      7,
      '"ipam.routes.0.gw" is "fd00::1": the destination 10.1.0.0/16 is of the other family',
    ],
    [route({ mtu: -1 }), 7, '"ipam.routes.0.mtu" is -1'],
    [route({ priority: 2 ** 32 }), 7, '"ipam.routes.0.priority" is 4294967296: want at most 4294967295'],
    [route({ table: 'main' }), 7, '"ipam.routes.0.table" is "main"'],
    [route({ scope: 1 }), 7, '"ipam.routes.0.scope" is 1: want one of 0, 253, 254'],
  ])('%j: code %d, %s', (value, code, message) => {
    expect(() => read(value)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test("the runtime's ranges by their own path", () => {
    expect(() => readRangeSets([[{ subnet: '10.1.0.1/24' }]], 'runtimeConfig.ipRanges')).toThrow(
      '"runtimeConfig.ipRanges.0.0.subnet" is "10.1.0.1/24": has host bits',
    );
  });
});
