import { expect, test } from '@jest/globals';
import { dualState, sampleState } from '../sample-lab.ts';
import { serviceManifest } from './service-manifest.ts';
import { slicesOfService } from './slices-of-service.ts';

const { pods } = sampleState();

function slices(spec: Readonly<Record<string, unknown>>, changed = pods) {
  const service = serviceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec,
  });
  return slicesOfService(service, { pods: changed, families: [4], answers: (pod) => pod !== 'pod-1b' });
}

const slice = (...given: Parameters<typeof slices>) => slices(...given)?.[0];

test('the pods that a service selects, with their nodes, and whether they answer', () => {
  const ports = [
    { port: 80, targetPort: 8080 },
    { name: 'dns', protocol: 'UDP', port: 53, targetPort: 'dns' },
  ];
  expect(slice({ selector: { app: 'echo' }, ports })).toMatchObject({
    kind: 'EndpointSlice',
    metadata: { name: 'web-lab-ipv4', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    ports: [
      { name: '', protocol: 'TCP', port: 8080 },
      { name: 'dns', protocol: 'UDP', port: 53 },
    ],
    endpoints: [
      {
        addresses: ['10.244.1.2'],
        nodeName: 'n1',
        conditions: { ready: true, serving: true, terminating: false },
      },
      { addresses: ['10.244.1.3'], conditions: { ready: false, serving: false } },
      { addresses: ['10.244.2.2'], nodeName: 'n2' },
    ],
  });
});

test('one that ends still serves and is not ready; one without address is not there yet', () => {
  const ending = pods.flatMap((pod) =>
    pod.name === 'pod-2a'
      ? [
          { ...pod, terminating: true },
          { ...pod, name: 'x', addresses: [] },
        ]
      : [],
  );
  expect(slice({ selector: { pod: 'pod-2a' } }, ending)).toMatchObject({
    endpoints: [
      { addresses: ['10.244.2.2'], conditions: { ready: false, serving: true, terminating: true } },
    ],
  });
});

test('nobody is an empty slice, and without selector there is none', () => {
  expect(slice({ selector: { app: 'nobody' } })).toMatchObject({ endpoints: [] });
  expect(slice({})).toBeUndefined();
  expect(slice({ selector: {} })).toBeUndefined();
});

test('a service of two families has a slice for each, with the addresses of that one', () => {
  const { pods: both } = dualState();
  const chosen = slices({ selector: { pod: 'pod-2a' }, ipFamilies: ['IPv6', 'IPv4'] }, both);
  expect(chosen).toMatchObject([
    {
      metadata: { name: 'web-lab-ipv6' },
      addressType: 'IPv6',
      endpoints: [{ addresses: ['fd00:10:244:2::2'] }],
    },
    { metadata: { name: 'web-lab-ipv4' }, addressType: 'IPv4', endpoints: [{ addresses: ['10.244.2.2'] }] },
  ]);
});

test.each([
  ['that of its cluster IP', { clusterIP: 'fd00:10:96::a' }, ['IPv6']],
  ['those of its cluster IPs', { clusterIPs: ['10.96.0.10', 'fd00:10:96::a'] }, ['IPv4', 'IPv6']],
  ['the lab’s first', {}, ['IPv4']],
])('of a service that nobody completed, the family is %s', (_, spec, types) => {
  expect(slices({ selector: { app: 'echo' }, ...spec })).toMatchObject(
    types.map((addressType) => ({ addressType })),
  );
});
