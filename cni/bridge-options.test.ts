import { describe, expect, test } from '@jest/globals';
import { readBridge } from './bridge-options.ts';

const read = (value: object) => readBridge(value, { ofNode: false });

test('defaults of a bridge of the network are those of the reference plugin', () => {
  expect(read({})).toEqual({
    name: 'cni0',
    mtu: undefined,
    hairpin: false,
    promiscuous: false,
    isGateway: false,
    isDefaultGateway: false,
    forceAddress: false,
    ipMasq: false,
    vlan: undefined,
    vlanTrunk: [],
    preserveDefaultVlan: true,
    macSpoofCheck: false,
    enableDad: false,
    portIsolation: false,
  });
});

test.each([
  [{ bridge: '' }, { name: 'cni0' }],
  [{ Bridge: 'br-lan.7' }, { name: 'br-lan.7' }],
  [{ mtu: 0 }, { mtu: undefined }],
  [{ mtu: 65535 }, { mtu: 65535 }],
  [{ isDefaultGateway: true }, { isGateway: true, isDefaultGateway: true }],
  [
    { isDefaultGateway: true, isGateway: false },
    { isGateway: true, isDefaultGateway: true },
  ],
  [{ isGateway: true }, { isGateway: true, isDefaultGateway: false }],
  [{ promiscMode: true }, { promiscuous: true, hairpin: false }],
  [{ vlan: 0 }, { vlan: undefined }],
  [
    { vlan: 4094, preserveDefaultVlan: false },
    { vlan: 4094, preserveDefaultVlan: false },
  ],
  [{ vlanTrunk: [{ id: 7 }] }, { vlanTrunk: [{ first: 7, last: 7 }] }],
  [
    { vlanTrunk: [{ minID: 100, maxID: 200, id: 99 }, { MinID: 150, MaxId: 201 }, { id: 4094 }, {}] },
    {
      vlanTrunk: [
        { first: 99, last: 201 },
        { first: 4094, last: 4094 },
      ],
    },
  ],
  [
    { macspoofchk: true, enabledad: true, portIsolation: true, forceAddress: true, ipMasq: true },
    { macSpoofCheck: true, enableDad: true, portIsolation: true, forceAddress: true, ipMasq: true },
  ],
  [{ disableContainerInterface: false }, {}],
])('%j: %j', (value, expected) => {
  expect(read(value)).toMatchObject(expected);
});

test("on the node's bridge: hairpin and gateway unless told otherwise", () => {
  const ofNode = (value: object) => readBridge(value, { ofNode: true });
  expect(ofNode({})).toMatchObject({ hairpin: true, isGateway: true, isDefaultGateway: true });
  expect(ofNode({ promiscMode: true })).toMatchObject({ hairpin: false, promiscuous: true });
  expect(ofNode({ isDefaultGateway: false })).toMatchObject({ isGateway: false, isDefaultGateway: false });
});

describe('refused', () => {
  test.each([
    [{ bridge: 'a/b' }, 7, '"delegate.bridge" is "a/b": no name for a link: invalid characters'],
    [{ bridge: 'a"b' }, 7, '"delegate.bridge" is "a\\"b"'],
    [{ bridge: '..' }, 7, '"delegate.bridge" is ".."'],
    [{ bridge: 'sixteen-bytes-xx' }, 7, 'more than 15 bytes'],
    [{ bridge: 7 }, 7, '"delegate.bridge" is 7: want text'],
    [{ mtu: -1 }, 7, '"delegate.mtu" is -1: want at least 0'],
    [{ mtu: 67 }, 7, '"delegate.mtu" is 67: want 0 (the default) or at least 68'],
    [{ mtu: 65536 }, 7, '"delegate.mtu" is 65536: want at most 65535'],
    [{ mtu: 1e300 }, 7, '"delegate.mtu" is 1e+300: want at most'],
    [{ mtu: 1500.5 }, 7, '"delegate.mtu" is 1500.5: want a whole number'],
    [{ mtu: '1500' }, 7, '"delegate.mtu" is "1500": want a number'],
    [{ hairpinMode: 1 }, 7, '"delegate.hairpinMode" is 1: want true or false'],
    [
      { hairpinMode: true, promiscMode: true },
      7,
      '"delegate.promiscMode" is true: "hairpinMode" is true too',
    ],
    [{ vlan: -1 }, 7, '"delegate.vlan" is -1: want at least 0'],
    [{ vlan: 4095 }, 7, '"delegate.vlan" is 4095: want at most 4094'],
    [{ vlan: 5, vlanTrunk: [{ id: 6 }] }, 7, '"delegate.vlan" is 5: "vlanTrunk" is given too'],
    [{ vlanTrunk: {} }, 7, '"delegate.vlanTrunk" is {}: want a list'],
    [{ vlanTrunk: [{ id: 0 }] }, 7, '"delegate.vlanTrunk.0.id" is 0: want at least 1'],
    [{ vlanTrunk: [{ id: 1 }, { maxID: 4095, minID: 1 }] }, 7, '"delegate.vlanTrunk.1.maxID" is 4095'],
    [{ vlanTrunk: [{ minID: 5 }] }, 7, '"delegate.vlanTrunk.0.maxID" is absent: "minID" needs it'],
    [{ vlanTrunk: [{ maxID: 5 }] }, 7, '"delegate.vlanTrunk.0.minID" is absent: "maxID" needs it'],
    [{ vlanTrunk: [{ minID: 6, maxID: 5 }] }, 7, '"delegate.vlanTrunk.0.maxID" is 5: "minID" is 6'],
    [
      { disableContainerInterface: true },
      2,
      '"delegate.disableContainerInterface" is true: without an interface',
    ],
  ])('%j: code %d, %s', (value, code, message) => {
    expect(() => readBridge(value, { ofNode: false, path: 'delegate' })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
