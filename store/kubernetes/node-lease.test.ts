import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { leaseKey } from '../lease-key.ts';
import { decodeNetworkConfig } from '../network-config.ts';
import { StoreError } from '../store-error.ts';
import {
  decodeNodeLease,
  encodeNodeLease,
  flannelPrefix,
  nodeSubnets,
  overwrittenAddresses,
} from './node-lease.ts';
import { parseNode } from './parse-node.ts';

const config = decodeNetworkConfig('{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
const dual = decodeNetworkConfig(
  '{"Network":"10.244.0.0/16","IPv6Network":"fd00:10::/48","EnableIPv6":true,"Backend":{"Type":"vxlan"}}',
);
const options = { config, annotationPrefix: flannelPrefix };

/** As flanneld 0.28 writes it. */
const annotations = {
  'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}',
  'flannel.alpha.coreos.com/backend-type': 'vxlan',
  'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
  'flannel.alpha.coreos.com/public-ip': '192.0.2.7',
};

function nodeOf(more: object = {}, spec: object = { podCIDR: '10.244.3.0/24', podCIDRs: ['10.244.3.0/24'] }) {
  const node = parseNode(
    { metadata: { name: 'n3', annotations: { ...annotations, ...more } }, spec },
    flannelPrefix,
  );
  if (node === undefined) throw new Error('no node');
  return node;
}

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof StoreError)
      return error.problems.map(({ field, message }) => `${field}: ${message}`);
    throw error;
  }
  return [];
}

const name = (key: string) => `metadata.annotations["${flannelPrefix}${key}"]`;

test('flannel’s annotations are a lease, and the lease is its annotations, to the byte', () => {
  const lease = decodeNodeLease(nodeOf(), options);
  expect(leaseKey(lease)).toBe('10.244.3.0-24');
  expect(lease.node).toBe('n3');
  expect(String(lease.publicIp)).toBe('192.0.2.7');
  const written = encodeNodeLease(lease, lease);
  expect(
    Object.fromEntries(
      [...written].filter(([, text]) => text !== null).map(([key, text]) => [flannelPrefix + key, text]),
    ),
  ).toEqual(annotations);
  // Of a family that is not there nothing stays either.
  expect([...written].filter(([, text]) => text === null).map(([key]) => key)).toEqual([
    'backend-v6-data',
    'public-ipv6',
  ]);
});

test('flannel’s own node finds the MAC by cutting the text: VNI first, MAC last, no spaces', () => {
  const data = { kind: 'vxlan', vni: 4096, vtepMac: Mac.parse('0a:0b:0c:0d:0e:0f') } as const;
  const { subnet } = decodeNodeLease(nodeOf(), options);
  const text = encodeNodeLease(
    { backendType: 'vxlan', backendData: data },
    { subnet, subnet6: undefined },
  ).get('backend-data');
  expect(text).toBe('{"VNI":4096,"VtepMAC":"0a:0b:0c:0d:0e:0f"}');
  expect(text?.replace(/["}]+$/, '').split(':"')[1]).toBe('0a:0b:0c:0d:0e:0f');
});

test('both families', () => {
  const node = nodeOf(
    {
      [`${flannelPrefix}backend-v6-data`]: '{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}',
      [`${flannelPrefix}public-ipv6`]: '2001:db8::7',
    },
    { podCIDRs: ['fd00:10:0:3::/64', '10.244.3.0/24'] },
  );
  const lease = decodeNodeLease(node, { ...options, config: dual });
  expect(leaseKey(lease)).toBe('10.244.3.0-24&fd00:10:0:3::-64');
  expect(String(lease.publicIp6)).toBe('2001:db8::7');
  // With an IPv4 network only, that is all that counts.
  expect(leaseKey(decodeNodeLease(node, options))).toBe('10.244.3.0-24');
});

test.each([
  ['vxlan', '{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}'],
  ['host-gw', 'null'],
])('IPv6 alone, %s: nothing is said of IPv4', (type, data) => {
  const six = decodeNetworkConfig(
    `{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend":{"Type":"${type}"}}`,
  );
  const own = {
    'kube-subnet-manager': 'true',
    'backend-type': type,
    'public-ipv6': '2001:db8::7',
    'backend-v6-data': data,
  };
  // What an earlier agent said of IPv4 does not count.
  const node = nodeOf(
    Object.fromEntries(Object.entries(own).map(([key, text]) => [flannelPrefix + key, text])),
    { podCIDRs: ['fd00:10:0:3::/64'] },
  );
  const lease = decodeNodeLease(node, { ...options, config: six });
  expect(leaseKey(lease)).toBe('fd00:10:0:3::-64');
  expect([lease.publicIp, lease.backendData, String(lease.publicIp6)]).toEqual([
    undefined,
    undefined,
    '2001:db8::7',
  ]);
  expect(Object.fromEntries(encodeNodeLease(lease, lease))).toEqual({
    ...own,
    'public-ip': null,
    'backend-data': null,
  });
});

test('host-gw has null for data', () => {
  const node = nodeOf({
    [`${flannelPrefix}backend-type`]: 'host-gw',
    [`${flannelPrefix}backend-data`]: 'null',
  });
  const lease = decodeNodeLease(node, options);
  expect(lease.backendData).toBeUndefined();
  expect(encodeNodeLease(lease, lease).get('backend-data')).toBe('null');
});

describe('a hostile Node', () => {
  test.each<[Record<string, string>, readonly string[]]>([
    [
      { 'public-ip': '192.0.2.7; reboot' },
      [`${name('public-ip')}: "192.0.2.7; reboot" is not an IPv4 address`],
    ],
    [{ 'public-ip': '$(reboot)' }, [`${name('public-ip')}: "$(reboot)" is not an IPv4 address`]],
    [{ 'public-ip': '127.0.0.1' }, [`${name('public-ip')}: "127.0.0.1" is a loopback address`]],
    [{ 'public-ip': '224.0.0.1' }, [`${name('public-ip')}: "224.0.0.1" is a multicast address`]],
    [{ 'public-ip': '' }, [`${name('public-ip')}: is missing`]],
    [
      { 'backend-data': '{"VNI":1,"VtepMAC":"`id`"}' },
      [`${name('backend-data')}.VtepMAC: "\`id\`" is not a MAC address`],
    ],
    [
      { 'backend-data': '{"VNI":1,"VtepMAC":"ff:ff:ff:ff:ff:ff"}' },
      [`${name('backend-data')}.VtepMAC: "ff:ff:ff:ff:ff:ff" is a multicast MAC address`],
    ],
    [
      { 'backend-data': '{"VNI":16777216,"VtepMAC":"0a:00:00:00:00:01"}' },
      [`${name('backend-data')}.VNI: want at most 16777215, not 16777216`],
    ],
    [{ 'backend-data': 'null' }, [`${name('backend-data')}: is missing`]],
    [{ 'backend-data': '{"VNI":' }, [`${name('backend-data')}: it is not JSON: "{\\"VNI\\":"`]],
    [{ 'backend-data': '['.repeat(1000) + ']'.repeat(1000) }, [': it is nested more than 32 deep']],
    [
      { 'backend-type': 'v'.repeat(65) },
      [`${name('backend-type')}: want at most 64, not "${'v'.repeat(65)}"`],
    ],
  ])('%j is refused', (more, problems) => {
    const prefixed = Object.fromEntries(
      Object.entries(more).map(([key, text]) => [flannelPrefix + key, text]),
    );
    expect(problemsOf(() => decodeNodeLease(nodeOf(prefixed), options))).toEqual(problems);
  });

  test.each<[object, string]>([
    [
      {},
      'spec.podCIDRs: there is no IPv4 network; kube-controller-manager gives one with --allocate-node-cidrs and --cluster-cidr',
    ],
    [
      { podCIDRs: ['10.99.0.0/24'] },
      'spec.podCIDRs: "10.99.0.0/24" is outside of the network "10.244.0.0/16"',
    ],
    [
      { podCIDRs: ['10.244.3.1/24'] },
      ': spec.podCIDRs[0]: "10.244.3.1/24" is not a network (ADDRESS/LENGTH)',
    ],
    [
      { podCIDRs: ['10.244.3.0/24', '10.244.4.0/24'] },
      ': spec.podCIDRs[1]: "10.244.4.0/24" is a second one of IPv4',
    ],
    [{ podCIDRs: ['10.244.3.0/31'] }, 'key: "10.244.3.0-31" has prefix length 31: want 1 to 30'],
    [{ podCIDRs: [7] }, ': spec.podCIDRs[0]: want a string, not 7'],
    [{ podCIDR: '10.244.0.0/8' }, ': spec.podCIDR: "10.244.0.0/8" is not a network (ADDRESS/LENGTH)'],
  ])('spec %j is refused', (spec, problem) => {
    expect(problemsOf(() => nodeSubnets(nodeOf({}, spec), config))).toContain(problem);
  });

  test('whatever is in it, it is a lease of strict values or an error, and nothing else', () => {
    const text = fc.oneof(fc.string(), fc.json(), fc.constantFrom(...Object.values(annotations)));
    const keys = Object.keys(annotations);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...keys), text),
        fc.oneof(
          fc.jsonValue(),
          fc.record({ podCIDRs: fc.array(fc.oneof(fc.string(), fc.constant('10.244.3.0/24'))) }),
        ),
        (more, spec) => {
          const node = parseNode(
            { metadata: { name: 'n', annotations: { ...annotations, ...more } }, spec },
            flannelPrefix,
          );
          if (node === undefined) return;
          try {
            const lease = decodeNodeLease(node, options);
            expect(lease.publicIp).toBeInstanceOf(IpAddress);
            expect(config.ip4?.network.contains(lease.subnet ?? IpAddress.parse('0.0.0.0'))).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(StoreError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('an operator’s address goes first, when it is one', () => {
  const overwritten = (text: string) =>
    overwrittenAddresses(nodeOf({ [`${flannelPrefix}public-ip-overwrite`]: text }), flannelPrefix);
  expect(String(overwritten('203.0.113.9').publicIp)).toBe('203.0.113.9');
  expect(overwritten('')).toEqual({});
  expect(problemsOf(() => overwritten('fd00::1'))).toEqual([
    `${name('public-ip-overwrite')}: "fd00::1" is not an IPv4 address`,
  ]);
});

test('what a Node is made of is dropped but for what is needed', () => {
  const node = parseNode(
    {
      metadata: {
        name: 'n1',
        uid: 'u',
        creationTimestamp: '2026-01-01T00:00:00Z',
        labels: { 'topology.kubernetes.io/zone': 'z1' },
        annotations: { 'other/x': 'y', ...annotations },
        managedFields: [{}],
      },
      spec: {
        podCIDR: '10.244.1.0/24',
        taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }],
      },
      status: {
        images: [{}],
        conditions: [{ type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated' }],
      },
    },
    flannelPrefix,
  );
  expect(node).toMatchObject({
    name: 'n1',
    zone: 'z1',
    isGoing: true,
    networkUnavailable: { status: 'True', reason: 'NoRouteCreated' },
    notes: [],
  });
  expect(node?.annotations.size).toBe(4);
  expect(parseNode({ metadata: { name: '../x' } }, flannelPrefix)).toBeUndefined();
  expect(parseNode('x', flannelPrefix)).toBeUndefined();
});
