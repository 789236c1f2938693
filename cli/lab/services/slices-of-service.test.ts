import { expect, test } from '@jest/globals';
import { sampleState } from '../sample-lab.ts';
import { serviceManifest } from './service-manifest.ts';
import { sliceOfService } from './slices-of-service.ts';

const { pods } = sampleState();

function slice(spec: Readonly<Record<string, unknown>>, changed = pods) {
  const service = serviceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec,
  });
  return sliceOfService(service, { pods: changed, answers: (pod) => pod !== 'pod-1b' });
}

test('the pods that a service selects, with their nodes, and whether they answer', () => {
  const ports = [
    { port: 80, targetPort: 8080 },
    { name: 'dns', protocol: 'UDP', port: 53, targetPort: 'dns' },
  ];
  expect(slice({ selector: { app: 'echo' }, ports })).toMatchObject({
    kind: 'EndpointSlice',
    metadata: { name: 'web-lab', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
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
          { ...pod, name: 'x', address: undefined },
        ]
      : [],
  );
  const wired = ending.map(({ address, ...pod }) => (address === undefined ? pod : { ...pod, address }));
  expect(slice({ selector: { pod: 'pod-2a' } }, wired)).toMatchObject({
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
