// EndpointSlices and Endpoints to slices, good and bad.
import { describe, expect, test } from '@jest/globals';
import type { EndpointSlice } from '../endpoint-slice.ts';
import { parseManifests } from './parse-manifests.ts';

function read(object: object): {
  readonly slices: readonly EndpointSlice[];
  readonly messages: readonly string[];
} {
  const { manifests, problems } = parseManifests(JSON.stringify(object), { file: 'web.json' });
  return { slices: manifests[0]?.slices ?? [], messages: problems.map(({ message }) => message) };
}

const slice = (fields: object = {}) =>
  read({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-abc.1', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.1.0.1'] }],
    ...fields,
  });

const plain = (slices: readonly EndpointSlice[]) => JSON.parse(JSON.stringify(slices));

describe('an EndpointSlice', () => {
  test('has the defaults of an API server', () => {
    const { slices, messages } = slice({ ports: [{ port: 8080 }] });
    expect(messages).toEqual([]);
    expect(plain(slices)).toEqual([
      {
        namespace: 'ns',
        name: 'web-abc.1',
        service: 'web',
        family: 4,
        ports: [{ name: '', protocol: 'tcp', port: 8080 }],
        endpoints: [
          {
            address: '10.1.0.1',
            ready: true,
            serving: true,
            terminating: false,
            zoneHints: [],
            nodeHints: [],
          },
        ],
        mirrored: false,
      },
    ]);
  });

  test('keeps conditions, node and hints, and only the first address', () => {
    const { slices, messages } = slice({
      metadata: {
        name: 'web-1',
        labels: { 'kubernetes.io/service-name': 'web' },
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-31T12:00:00.5Z' },
      },
      endpoints: [
        {
          addresses: ['010.1.0.2', 'nonsense'],
          conditions: { ready: false, serving: true, terminating: true },
          nodeName: 'n1',
          zone: 'a',
          hints: { forZones: [{ name: 'a' }, { name: 'b' }], forNodes: [{ name: 'n1' }] },
        },
        {
          addresses: ['10.1.0.3'],
          conditions: { ready: null },
          topology: { 'kubernetes.io/hostname': 'n2' },
        },
      ],
    });
    expect(messages).toEqual([]);
    expect(slices[0]?.triggeredAt).toBe(Date.UTC(2026, 0, 31, 12) + 500);
    expect(plain(slices)[0].endpoints).toEqual([
      {
        address: '10.1.0.2',
        ready: false,
        serving: true,
        terminating: true,
        nodeName: 'n1',
        zoneHints: ['a', 'b'],
        nodeHints: ['n1'],
      },
      {
        address: '10.1.0.3',
        ready: true,
        serving: true,
        terminating: false,
        nodeName: 'n2',
        zoneHints: [],
        nodeHints: [],
      },
    ]);
  });

  test.each<readonly [object, string]>([
    [{ addressType: 'IPv5' }, 'addressType: want "IPv4", "IPv6" or "FQDN", not "IPv5"'],
    [{ addressType: undefined }, 'addressType: want "IPv4", "IPv6" or "FQDN", not undefined'],
    [
      { metadata: { name: 'a' } },
      'metadata.labels["kubernetes.io/service-name"]: is missing; it names the service',
    ],
    [
      { metadata: { name: 'a', labels: { 'kubernetes.io/service-name': '-x' } } },
      'metadata.labels["kubernetes.io/service-name"]: "-x" is not a DNS label',
    ],
  ])('is left out with %j', (fields, message) => {
    expect(slice(fields)).toEqual({ slices: [], messages: [`${message}; the slice is left out`] });
  });

  test('of names is ignored with a note, one that no proxy looks at without', () => {
    expect(slice({ addressType: 'FQDN' })).toEqual({
      slices: [],
      messages: ['addressType: "FQDN" is not looked at: a proxy needs addresses'],
    });
    expect(slice({ metadata: { name: 'a', labels: { 'service.kubernetes.io/headless': '' } } })).toEqual({
      slices: [],
      messages: [],
    });
  });

  test('loses what is wrong in it, and nothing else', () => {
    const { slices, messages } = slice({
      ports: [{ name: 'a' }, { name: 'b', port: 0 }, { name: 'c', port: 1 }, { name: 'c', port: 2 }],
      endpoints: [
        { addresses: ['fd00::1'] },
        { addresses: [] },
        { addresses: ['10.1.0.1'], conditions: { ready: 'yes' } },
        { addresses: ['10.1.0.256'] },
        { addresses: ['0.0.0.0'] },
        { addresses: ['10.1.0.9'] },
      ],
    });
    expect(slices[0]?.ports.map(({ name }) => name)).toEqual(['c']);
    expect(slices[0]?.endpoints.map(({ address }) => String(address))).toEqual(['10.1.0.9']);
    expect(messages).toEqual([
      'ports[0].port: is missing, and "all ports" is not supported; the port is left out',
      'ports[1].port: want 1 to 65535, not 0; the port is left out',
      'ports[3].name: "c" is given twice; the port is left out',
      'endpoints[0].addresses[0]: "fd00::1" is not an IPv4 address; the endpoint is left out',
      'endpoints[1].addresses: is empty; the endpoint is left out',
      'endpoints[2].conditions.ready: want true or false, not "yes"; the endpoint is left out',
      'endpoints[3].addresses[0]: "10.1.0.256" is not an IP address; the endpoint is left out',
      'endpoints[4].addresses[0]: "0.0.0.0" is the unspecified address; the endpoint is left out',
    ]);
    const mapped = slice({ addressType: 'IPv6', endpoints: [{ addresses: ['::ffff:10.0.0.1'] }] });
    expect(mapped.messages).toEqual([
      'endpoints[0].addresses[0]: "::ffff:10.0.0.1" is not an IPv6 address; the endpoint is left out',
    ]);
  });
});

describe('an Endpoints object', () => {
  const endpoints = (fields: object) =>
    read({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web' }, ...fields });

  test('becomes a slice a family and subset', () => {
    const { slices, messages } = endpoints({
      subsets: [
        {
          addresses: [{ ip: '10.1.0.1', nodeName: 'n1' }, { ip: 'fd00::1' }, { ip: 'x' }],
          notReadyAddresses: [{ ip: '10.1.0.2' }],
          ports: [{ name: 'http', port: 80 }],
        },
        { addresses: [{ ip: '10.1.0.3' }], ports: [{ name: 'http', port: 81 }] },
      ],
    });
    expect(messages).toEqual([
      'subsets[0].addresses[2].ip: "x" is not an IP address; the endpoint is left out',
    ]);
    expect(
      slices.map(({ name, service, family, mirrored, ports, endpoints: all }) => [
        name,
        service,
        family,
        mirrored,
        ports[0]?.port,
        all.map(({ address, ready }) => `${address} ${ready}`),
      ]),
    ).toEqual([
      ['endpoints/web/0-v4', 'web', 4, true, 80, ['10.1.0.1 true', '10.1.0.2 false']],
      ['endpoints/web/0-v6', 'web', 6, true, 80, ['fd00::1 true']],
      ['endpoints/web/1-v4', 'web', 4, true, 81, ['10.1.0.3 true']],
    ]);
  });

  test('that is not to be mirrored makes none', () => {
    const subsets = [{ addresses: [{ ip: '10.1.0.1' }], ports: [{ port: 80 }] }];
    for (const metadata of [
      { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      { labels: { 'service.kubernetes.io/headless': '' } },
      { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } },
    ]) {
      expect(endpoints({ metadata: { name: 'web', ...metadata }, subsets })).toEqual({
        slices: [],
        messages: [],
      });
    }
  });
});
