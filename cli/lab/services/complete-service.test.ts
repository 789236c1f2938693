import { expect, test } from '@jest/globals';
import { addressesOf, completeService } from './complete-service.ts';
import { plainService } from './plain-service.ts';
import { type ServiceManifest, serviceManifest } from './service-manifest.ts';
import { serviceRows } from './service-text.ts';

const networks = { serviceNetwork: '10.96.0.0/16', loadBalancerNetwork: '203.0.113.0/24' };

function service(name: string, spec: Readonly<Record<string, unknown>> = {}): ServiceManifest {
  return serviceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  });
}

const complete = (one: ServiceManifest, ...others: readonly ServiceManifest[]) =>
  completeService(one, { others, networks });

test('a cluster IP is the first that is free, and stays', () => {
  const first = complete(service('a'));
  expect(first.spec).toMatchObject({ clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'] });
  expect(complete(service('b'), first).spec.clusterIP).toBe('10.96.0.11');
  expect(complete(service('a'), service('b', { clusterIP: '10.96.0.10' }), first).spec.clusterIP).toBe(
    '10.96.0.10',
  );
  expect(complete(service('c', { clusterIP: '10.96.9.9' })).spec.clusterIP).toBe('10.96.9.9');
  expect(complete(service('headless', { clusterIP: 'None' })).spec.clusterIP).toBe('None');
  expect(complete(service('name', { type: 'ExternalName' })).spec.clusterIP).toBeUndefined();
});

test('node ports are given to those that want one and have none', () => {
  const first = complete(
    service('a', { type: 'NodePort', ports: [{ port: 80 }, { port: 81, nodePort: 30001 }] }),
  );
  expect(first.spec.ports.map(({ nodePort }) => nodePort)).toEqual([30000, 30001]);
  expect(complete(service('b', { type: 'NodePort' }), first).spec.ports[0]?.nodePort).toBe(30002);
  expect(complete(service('c'), first).spec.ports[0]?.nodePort).toBeUndefined();
});

test('a load balancer gets an address unless it has one', () => {
  const first = complete(service('a', { type: 'LoadBalancer' }));
  expect(addressesOf(first)).toEqual(['203.0.113.10']);
  expect(addressesOf(complete(service('b', { type: 'LoadBalancer' }), first))).toEqual(['203.0.113.11']);
  expect(addressesOf(complete(service('a', { type: 'LoadBalancer' }), first))).toEqual(['203.0.113.10']);
});

test('a network without a free address is an error', () => {
  expect(() =>
    completeService(service('a'), { others: [], networks: { ...networks, serviceNetwork: '10.96.0.0/29' } }),
  ).toThrow('Cannot find a free address in 10.96.0.0/29');
});

const words = {
  name: 'web',
  namespace: 'default',
  port: ['80', '443:8443'],
  type: 'LoadBalancer',
  protocol: 'tcp',
  affinity: 60,
  externalPolicy: 'Local',
  internalPolicy: 'Cluster',
  sourceRange: ['192.0.2.0/24'],
} as const;

test('a service from words', () => {
  expect(plainService(words)).toMatchObject({
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      type: 'LoadBalancer',
      selector: { app: 'echo' },
      ports: [
        { name: 'p80', protocol: 'TCP', port: 80, targetPort: 8080 },
        { name: 'p443', protocol: 'TCP', port: 443, targetPort: 8443 },
      ],
      sessionAffinity: 'ClientIP',
      externalTrafficPolicy: 'Local',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
    },
  });
  for (const port of ['', '0', '70000', '80:', 'http'])
    expect(() => plainService({ ...words, port: [port] })).toThrow(`Cannot use port "${port}"`);
});

test('services as rows', () => {
  const [web, dns] = [
    complete(service('web', { type: 'LoadBalancer' })),
    service('dns', { clusterIP: '10.96.0.12', ports: [{ port: 53, protocol: 'UDP' }] }),
  ];
  expect(
    serviceRows([web, dns]).join('\n'),
  ).toBe(`default/web  LoadBalancer  10.96.0.10, 203.0.113.10  80/tcp, node port 30000
default/dns  ClusterIP     10.96.0.12                53/udp`);
});
