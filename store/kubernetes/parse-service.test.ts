// What becomes of each field of a Service, good and bad.
import { describe, expect, test } from '@jest/globals';
import type { Service } from '../service.ts';
import { parseManifests } from './parse-manifests.ts';

interface Fields {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

function read({ metadata, spec, status }: Fields): {
  readonly service: Service | undefined;
  readonly messages: readonly string[];
} {
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', ...metadata },
    spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }], ...spec },
    status,
  });
  const { manifests, problems } = parseManifests(text, { file: 'web.json' });
  for (const { object } of problems) expect(object).toBe('web.json, document 1: Service "default/web"');
  return { service: manifests[0]?.service, messages: problems.map(({ message }) => message) };
}

const texts = (values: readonly { toString(): string }[] | undefined) => values?.map(String);

describe('a Service', () => {
  test('has the defaults of an API server', () => {
    expect(read({}).messages).toEqual([]);
    const { clusterIps, ...service } = read({}).service ?? {};
    expect(texts(clusterIps)).toEqual(['10.96.0.10']);
    expect(service).toEqual({
      namespace: 'default',
      name: 'web',
      type: 'ClusterIP',
      ports: [{ name: '', protocol: 'tcp', port: 80, nodePort: undefined }],
      externalIps: [],
      loadBalancerIps: [],
      loadBalancerSourceRanges: [],
      affinitySeconds: undefined,
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      healthCheckNodePort: undefined,
      proxyName: undefined,
      headless: false,
      selector: undefined,
      createdAt: undefined,
    });
  });

  test('keeps all that it says', () => {
    const { service, messages } = read({
      metadata: {
        labels: { 'service.kubernetes.io/service-proxy-name': 'other', 'service.kubernetes.io/headless': '' },
        creationTimestamp: '2026-01-31T12:00:00Z',
      },
      spec: {
        type: 'LoadBalancer',
        clusterIP: '10.96.0.10',
        clusterIPs: ['10.96.0.10', 'fd00:96::a'],
        ipFamilies: ['IPv4', 'IPv6'],
        ports: [
          { name: 'http', port: 80, nodePort: 30080, targetPort: 'web' },
          { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30080 },
        ],
        externalIPs: ['192.0.2.1', '192.0.2.1', '2001:db8::1'],
        loadBalancerSourceRanges: [' 10.1.2.3/8 ', '2001:db8::/32'],
        sessionAffinity: 'ClientIP',
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        healthCheckNodePort: 32000,
        selector: { app: 'web' },
      },
      status: {
        loadBalancer: {
          ingress: [
            { ip: '203.0.113.1' },
            { ip: '203.0.113.2', ipMode: 'VIP' },
            { ip: '203.0.113.3', ipMode: 'Proxy' },
            { hostname: 'lb.example' },
          ],
        },
      },
    });
    expect(messages).toEqual([]);
    expect(service).toMatchObject({
      type: 'LoadBalancer',
      ports: [
        { name: 'http', protocol: 'tcp', port: 80, nodePort: 30080 },
        { name: 'dns', protocol: 'udp', port: 53, nodePort: 30080 },
      ],
      affinitySeconds: 10800,
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      healthCheckNodePort: 32000,
      proxyName: 'other',
      headless: true,
      selector: new Map([['app', 'web']]),
      createdAt: Date.UTC(2026, 0, 31, 12),
    });
    expect(texts(service?.clusterIps)).toEqual(['10.96.0.10', 'fd00:96::a']);
    expect(texts(service?.externalIps)).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(texts(service?.loadBalancerSourceRanges)).toEqual(['10.0.0.0/8', '2001:db8::/32']);
    expect(texts(service?.loadBalancerIps)).toEqual(['203.0.113.1', '203.0.113.2']);
  });

  test.each<readonly [string, object, readonly string[]]>([
    ['none where it is headless', { clusterIP: 'None', clusterIPs: ['None'] }, []],
    ['none for an external name', { type: 'ExternalName', clusterIP: '10.96.0.10' }, []],
    ['zeros in front are nothing', { clusterIP: '010.096.000.010' }, ['10.96.0.10']],
    ['IPv6 as RFC 5952 has it', { clusterIP: 'FD00:0:0::A' }, ['fd00::a']],
    [
      'the list, where that is all',
      { clusterIP: '', clusterIPs: ['fd00::a', '10.96.0.10'] },
      ['fd00::a', '10.96.0.10'],
    ],
    ['null is as if absent', { clusterIPs: null, ipFamilies: null }, ['10.96.0.10']],
  ])('has the cluster IPs: %s', (_, spec, expected) => {
    const { service, messages } = read({ spec });
    expect(messages).toEqual([]);
    expect(texts(service?.clusterIps)).toEqual(expected);
  });

  test.each<readonly [object, string]>([
    [{ clusterIP: '10.96.0.300' }, 'spec.clusterIP: "10.96.0.300" is not an IP address'],
    [{ clusterIP: 10 }, 'spec.clusterIP: want a string, not 10'],
    [{ clusterIP: '127.0.0.1' }, 'spec.clusterIP: "127.0.0.1" is a loopback address'],
    [{ clusterIP: '169.254.169.254' }, 'spec.clusterIP: "169.254.169.254" is a link-local address'],
    [{ clusterIP: '224.0.0.1' }, 'spec.clusterIP: "224.0.0.1" is a multicast address'],
    [{ clusterIP: '::' }, 'spec.clusterIP: "::" is the unspecified address'],
    [{ clusterIP: '::ffff:10.0.0.1' }, 'spec.clusterIP: "::ffff:10.0.0.1" is an IPv4-mapped address'],
    [{ ipFamilies: ['IPv6'] }, 'spec.clusterIP: "10.96.0.10" is not of the family in spec.ipFamilies[0]'],
    [
      { clusterIPs: ['10.96.0.10', '10.96.0.11'] },
      'spec.clusterIPs[1]: "10.96.0.11" is a second IPv4 address',
    ],
    [
      { clusterIPs: ['10.9.9.9'] },
      'spec.clusterIP: "10.96.0.10" is not the first of spec.clusterIPs, "10.9.9.9"',
    ],
  ])('is left out with %j', (spec, message) => {
    const { service, messages } = read({ spec });
    expect(service).toBeUndefined();
    expect(messages).toEqual([`${message}; the service is left out`]);
  });

  test('without a cluster IP lives without one, and that is told', () => {
    const { service, messages } = read({ spec: { clusterIP: undefined } });
    expect(service?.clusterIps).toEqual([]);
    expect(messages).toEqual([
      'spec.clusterIP: is missing; nothing here allocates one, so the service has no cluster IP',
    ]);
  });

  test.each<readonly [string, readonly object[], readonly string[]]>([
    ['name', [{ name: 'Web', port: 80 }], ['spec.ports[0].name: "Web" is not a DNS label']],
    [
      'protocol',
      [{ port: 80, protocol: 'tcp' }],
      ['spec.ports[0].protocol: want "TCP", "UDP" or "SCTP", not "tcp"'],
    ],
    ['number', [{ port: 70000 }], ['spec.ports[0].port: want 1 to 65535, not 70000']],
    ['number as a text', [{ port: '80' }], ['spec.ports[0].port: want 1 to 65535, not "80"']],
    ['no number', [{}], ['spec.ports[0].port: is missing']],
    [
      'missing names',
      [{ port: 80 }, { port: 81 }],
      [
        'spec.ports[0].name: is missing; of several ports each needs one',
        'spec.ports[1].name: is missing; of several ports each needs one',
      ],
    ],
  ])('leaves out a port with a wrong %s', (_, ports, messages) => {
    const read1 = read({ spec: { ports } });
    expect(read1.service?.ports).toEqual([]);
    expect(read1.messages).toEqual(messages.map((message) => `${message}; the port is left out`));
  });

  test('keeps the first of two ports with one name or number', () => {
    const { service, messages } = read({
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
          { name: 'b', port: 80 },
          { name: 'c', port: 80, protocol: 'UDP' },
          'x',
        ],
      },
    });
    expect(service?.ports.map(({ name }) => name)).toEqual(['a', 'c']);
    expect(messages).toEqual([
      'spec.ports[4]: want an object, not "x"',
      'spec.ports[1].name: "a" is given twice; the port is left out',
      'spec.ports[2].port: 80 is given twice for TCP; the port is left out',
    ]);
  });

  test('loses a node port that is wrong, not the port', () => {
    const ports = [
      { name: 'a', port: 80, nodePort: 0 },
      { name: 'b', port: 81, nodePort: 70000 },
      { name: 'c', port: 82, nodePort: 30000 },
      { name: 'd', port: 83, nodePort: 30000 },
    ];
    const { service, messages } = read({ spec: { type: 'NodePort', ports } });
    expect(service?.ports.map(({ nodePort }) => nodePort)).toEqual([undefined, undefined, 30000, undefined]);
    expect(messages).toEqual([
      'spec.ports[0].nodePort: is missing; nothing here allocates one',
      'spec.ports[1].nodePort: want 1 to 65535, not 70000; the port has no node port',
      'spec.ports[3].nodePort: 30000 is given twice; the port has no node port',
    ]);
    expect(read({ spec: { ports: [{ port: 80, nodePort: 30000 }] } }).messages).toEqual([
      'spec.ports[0].nodePort: 30000 is for type NodePort or LoadBalancer; the port has no node port',
    ]);
  });

  test('lives when other fields are wrong', () => {
    const { service, messages } = read({
      metadata: { creationTimestamp: 'yesterday' },
      spec: {
        type: 'Magic',
        externalIPs: ['x', '127.0.0.1', 7, '192.0.2.1'],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } },
        externalTrafficPolicy: 'local',
        internalTrafficPolicy: 3,
        selector: { app: 1, name: 'web' },
      },
    });
    expect(service).toMatchObject({
      type: 'ClusterIP',
      affinitySeconds: 10800,
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      selector: undefined,
      createdAt: undefined,
    });
    expect(texts(service?.externalIps)).toEqual(['192.0.2.1']);
    expect([...messages].sort()).toEqual([
      'metadata.creationTimestamp: "yesterday" is not a time such as 2026-01-31T12:00:00Z',
      'spec.externalIPs[0]: "x" is not an IP address; it is left out',
      'spec.externalIPs[1]: "127.0.0.1" is a loopback address; it is left out',
      'spec.externalIPs[2]: want a string, not 7',
      'spec.externalTrafficPolicy: want "Cluster" or "Local", not "local"; "Cluster" is used',
      'spec.internalTrafficPolicy: want "Cluster" or "Local", not 3; "Cluster" is used',
      'spec.selector.app: want a string, not 1; the selector is left out',
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: want 1 to 86400, not 90000; 10800 is used',
      'spec.type: want "ClusterIP" or "NodePort" or "LoadBalancer" or "ExternalName", not "Magic"; "ClusterIP" is used',
    ]);
  });

  test('is never opened by source ranges that cannot be read', () => {
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { ip: 'x' }] } };
    const some = read({ spec: { loadBalancerSourceRanges: ['10.0.0.0/33', '192.0.2.0/24'] }, status });
    expect(texts(some.service?.loadBalancerSourceRanges)).toEqual(['192.0.2.0/24']);
    expect(texts(some.service?.loadBalancerIps)).toEqual(['203.0.113.1']);
    expect(some.messages).toEqual([
      'spec.loadBalancerSourceRanges[0]: "10.0.0.0/33" is not a network (ADDRESS/LENGTH); it is left out',
      'status.loadBalancer.ingress[1].ip: "x" is not an IP address; it is left out',
    ]);
    const none = read({ spec: { loadBalancerSourceRanges: ['10.0.0.0/33'] }, status });
    expect(none.service?.loadBalancerIps).toEqual([]);
    expect(none.messages).toContain(
      'spec.loadBalancerSourceRanges: has nothing that can be used; nobody may use the load balancer',
    );
  });

  test('says that the annotation for source ranges does nothing', () => {
    const annotations = { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8' };
    expect(read({ metadata: { annotations } }).messages).toEqual([
      'metadata.annotations["service.beta.kubernetes.io/load-balancer-source-ranges"]: is not looked at, as kube-proxy does not; use spec.loadBalancerSourceRanges',
    ]);
  });

  test('has a health check port only with type LoadBalancer and policy Local', () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 };
    expect(read({ spec }).service?.healthCheckNodePort).toBe(32000);
    expect(
      read({ spec: { ...spec, externalTrafficPolicy: 'Cluster' } }).service?.healthCheckNodePort,
    ).toBeUndefined();
    expect(read({ spec: { ...spec, healthCheckNodePort: 0 } }).messages).toEqual([]);
    expect(read({ spec: { ...spec, healthCheckNodePort: -1 } }).messages).toEqual([
      'spec.healthCheckNodePort: want 1 to 65535, not -1',
    ]);
  });

  test('of another group is no Service of ours', () => {
    const text = 'apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: web\n';
    expect(parseManifests(text, { file: 'x' })).toMatchObject({ manifests: [], problems: [] });
  });
});
