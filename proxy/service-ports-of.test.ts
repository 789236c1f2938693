import { describe, expect, test } from '@jest/globals';
import type { SampleServiceFields } from './sample-services.ts';
import { openTracker } from './sample-tracker.ts';
import type { ServicePort } from './service-port.ts';

const here = { nodeName: 'here' } as const;

describe('policies', () => {
  const endpoints = [
    { address: '10.0.0.1', nodeName: 'here' },
    { address: '10.0.0.2', nodeName: 'there' },
  ];
  const nodePort = { type: 'NodePort' as const, ports: [{ nodePort: 30080 }] };

  test.each<readonly [string, SampleServiceFields, string, ServicePort['externalPolicy']]>([
    ['Cluster and Cluster', nodePort, '10.0.0.1:8080 10.0.0.2:8080 | ', 'Cluster'],
    [
      'external Local keeps the cluster for the node itself',
      { ...nodePort, externalTrafficPolicy: 'Local' },
      '10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080',
      'Local',
    ],
    [
      'external Local does not count where nobody comes from outside',
      { externalTrafficPolicy: 'Local' },
      '10.0.0.1:8080 10.0.0.2:8080 | ',
      'Cluster',
    ],
    [
      'external IPs are outside',
      { externalTrafficPolicy: 'Local', externalIps: ['192.0.2.1'] },
      '10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080',
      'Local',
    ],
    [
      'external IPs of the other family are not',
      { externalTrafficPolicy: 'Local', externalIps: ['2001:db8::1'] },
      '10.0.0.1:8080 10.0.0.2:8080 | ',
      'Cluster',
    ],
    ['internal Local', { internalTrafficPolicy: 'Local' }, ' | 10.0.0.1:8080', 'Cluster'],
    [
      'internal Local, reached from outside too',
      { ...nodePort, internalTrafficPolicy: 'Local' },
      '10.0.0.1:8080 10.0.0.2:8080 | 10.0.0.1:8080',
      'Cluster',
    ],
  ])('%s', (_name, fields, expected, external) => {
    const { service, slice, endpoints: lists, port } = openTracker();
    service(fields);
    slice({ endpoints });
    expect([lists(), port().externalPolicy]).toEqual([expected, external]);
  });

  test('counts what policies leave without endpoints', () => {
    const { tracker, service, slice, removeService } = openTracker();
    service({ ...nodePort, internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' });
    expect(tracker.counts).toMatchObject({ endpoints: 0, noLocalInternal: 0, noLocalExternal: 0 });
    slice({ endpoints: [{ address: '10.0.0.2', nodeName: 'there' }] });
    expect(tracker.counts).toMatchObject({ endpoints: 1, noLocalInternal: 1, noLocalExternal: 1 });
    slice({ endpoints });
    expect(tracker.counts).toMatchObject({ endpoints: 2, noLocalInternal: 0, noLocalExternal: 0 });
    removeService('ns/web');
    expect(tracker.counts).toMatchObject({ services: 0, ports: 0, endpoints: 0 });
  });
});

describe('health checks', () => {
  const balancer = {
    type: 'LoadBalancer' as const,
    externalTrafficPolicy: 'Local' as const,
    healthCheckNodePort: 32000,
    loadBalancerIps: ['198.51.100.1'],
    ports: [
      { name: 'http', nodePort: 30080 },
      { name: 'https', port: 443, nodePort: 30443 },
    ],
  };
  const ports = [{ name: 'http' }, { name: 'https', port: 8443 }];

  test('count the addresses that are ready here, each once', () => {
    const { tracker, service, slice } = openTracker();
    service(balancer);
    expect([...tracker.healthChanged()]).toEqual(['ns/web']);
    slice({
      ports,
      endpoints: [
        { address: '10.0.0.1', ...here },
        { address: '10.0.0.2', ...here, ready: false, terminating: true },
        { address: '10.0.0.3', nodeName: 'there' },
      ],
    });
    expect(tracker.healthChecks.get('ns/web')).toEqual({
      namespace: 'ns',
      name: 'web',
      nodePort: 32000,
      localEndpoints: 1,
    });
    expect([...tracker.healthChanged()]).toEqual(['ns/web']);
    expect([...tracker.healthChanged()]).toEqual([]);
    slice({ ports, endpoints: [{ address: '10.0.0.9', ...here }] });
    expect([...tracker.healthChanged()]).toEqual([]);
  });

  test.each<readonly [string, SampleServiceFields]>([
    ['policy Cluster', { externalTrafficPolicy: 'Cluster' }],
    ['not of type LoadBalancer', { type: 'NodePort' }],
    ['no port given', { healthCheckNodePort: undefined }],
  ])('none: %s', (_name, fields) => {
    const { tracker, service, port } = openTracker();
    service(balancer);
    tracker.healthChanged();
    service({ ...balancer, ...fields });
    expect(tracker.healthChecks.size).toBe(0);
    expect(port('ns/web:http/tcp').healthCheckNodePort).toBeUndefined();
    expect([...tracker.healthChanged()]).toEqual(['ns/web']);
  });
});

describe('what is wrong with endpoints', () => {
  test('unsafe ones are left out and reported once a slice, or allowed', () => {
    const ports = [
      { name: 'a', port: 1 },
      { name: 'b', port: 2 },
    ];
    const endpoints = ['10.0.0.1', '127.0.0.1', '169.254.169.254'];
    for (const allowUnsafeEndpoints of [false, true]) {
      const opened = openTracker({ allowUnsafeEndpoints });
      opened.service({ ports });
      opened.slice({ ports, endpoints });
      expect(opened.port('ns/web:a/tcp').clusterEndpoints).toHaveLength(allowUnsafeEndpoints ? 3 : 1);
      expect(opened.tracker.problems).toEqual(
        allowUnsafeEndpoints
          ? []
          : [
              {
                object: 'EndpointSlice "ns/web-1"',
                message:
                  'endpoints: 2 of 3 are left out: 127.0.0.1 is loopback, 169.254.169.254 is link-local',
              },
            ],
      );
    }
  });

  test('a selector needs somebody who makes slices', () => {
    const { tracker, service, slice } = openTracker();
    service({ selector: new Map([['app', 'web']]) }, { name: 'manual', clusterIps: ['10.96.0.2'] });
    expect(tracker.problems).toEqual([
      {
        object: 'Service "ns/web"',
        message: expect.stringMatching(/^selector: nobody makes EndpointSlices from selectors here/),
      },
    ]);
    slice({});
    expect(tracker.problems).toEqual([]);
  });
});
