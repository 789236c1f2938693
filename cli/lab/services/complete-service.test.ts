import { describe, expect, test } from '@jest/globals';
import { addressesOf, completeService } from './complete-service.ts';
import { plainService } from './plain-service.ts';
import { type ServiceManifest, serviceManifest } from './service-manifest.ts';
import { serviceRows } from './service-text.ts';

const network4 = { family: 4, services: '10.96.0.0/16', loadBalancers: '203.0.113.0/24' } as const;
const network6 = { family: 6, services: 'fd00:10:96::/112', loadBalancers: '2001:db8:203:113::/64' } as const;
const networks = [network4];
const dual = [network4, network6];

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
    completeService(service('a'), { others: [], networks: [{ ...network4, services: '10.96.0.0/29' }] }),
  ).toThrow('Cannot find a free address in 10.96.0.0/29');
});

describe('families', () => {
  const dualStack = { ipFamilyPolicy: 'PreferDualStack' };

  test.each([
    ['the usual one, of none', dual, {}, 'SingleStack', ['10.96.0.10']],
    ['the one that is asked for', dual, { ipFamilies: ['IPv6'] }, 'SingleStack', ['fd00:10:96::a']],
    ['that of its address', dual, { clusterIP: 'fd00:10:96::7' }, 'SingleStack', ['fd00:10:96::7']],
    ['both', dual, dualStack, 'PreferDualStack', ['10.96.0.10', 'fd00:10:96::a']],
    [
      'both, in the order asked for',
      dual,
      { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
      'RequireDualStack',
      ['fd00:10:96::a', '10.96.0.10'],
    ],
    ['the only one there is', [network6], dualStack, 'PreferDualStack', ['fd00:10:96::a']],
  ])('a service has %s', (_, lab, spec, ipFamilyPolicy, clusterIPs) => {
    const completed = completeService(service('a', spec), { others: [], networks: lab });
    const ipFamilies = clusterIPs.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));
    expect(completed.spec).toMatchObject({
      clusterIP: clusterIPs[0],
      clusterIPs,
      ipFamilies,
      ipFamilyPolicy,
    });
  });

  test('a second family keeps the first one’s address, node port and load balancer', () => {
    const balanced = { type: 'LoadBalancer' };
    const first = completeService(service('a', balanced), { others: [], networks: dual });
    expect(addressesOf(first)).toEqual(['203.0.113.10']);
    const both = completeService(service('a', { ...balanced, ...dualStack }), {
      others: [service('b', { clusterIPs: ['10.96.0.11', 'fd00:10:96::a'] }), first],
      networks: dual,
    });
    expect(both.spec.clusterIPs).toEqual(['10.96.0.10', 'fd00:10:96::b']);
    expect(both.spec.ports).toEqual(first.spec.ports);
    expect(addressesOf(both)).toEqual(['203.0.113.10', '2001:db8:203:113::a']);
  });

  test.each([
    [networks, { ipFamilies: ['IPv6'] }, 'spec.ipFamilies: this lab has no IPv6, only IPv4'],
    [networks, { clusterIP: 'fd00::1' }, 'spec.clusterIPs: this lab has no IPv6, only IPv4'],
    [
      networks,
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy: RequireDualStack, but this lab has only IPv4',
    ],
    [
      dual,
      { ipFamilies: ['IPv4', 'IPv6'] },
      'spec.ipFamilyPolicy: want PreferDualStack or RequireDualStack for two families',
    ],
    [dual, { ...dualStack, ipFamilies: ['IPv4', 'IPv4'] }, 'spec.ipFamilies: IPv4, IPv4: want each once'],
  ])('in %j, %j is refused', (lab, spec, message) => {
    expect(() => completeService(service('a', spec), { others: [], networks: lab })).toThrow(
      `Cannot use service "default/a": ${message}`,
    );
  });

  test('a headless service has families and no address', () => {
    const headless = completeService(service('a', { clusterIP: 'None', ...dualStack }), {
      others: [],
      networks: dual,
    });
    expect(headless.spec).toMatchObject({ clusterIPs: ['None'], ipFamilies: ['IPv4', 'IPv6'] });
  });
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
  ipFamily: [],
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
  expect(plainService({ ...words, ipFamily: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' })).toMatchObject({
    spec: { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
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
