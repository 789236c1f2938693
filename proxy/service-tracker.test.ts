import { describe, expect, test } from '@jest/globals';
import { openTracker } from './sample-tracker.ts';

const here = { nodeName: 'here' } as const;

describe('which services are looked at (BuildServiceMap)', () => {
  test.each([
    ['headless', { clusterIps: [] }],
    ['ExternalName with an address', { type: 'ExternalName' as const }],
    ['label headless', { headless: true }],
    ["another proxy's", { proxyName: 'other' }],
    ['of the other family', { clusterIps: ['fd00:96::1'] }],
  ])('not: %s; live in both directions', (_name, fields) => {
    const { tracker, service, slice } = openTracker();
    slice({ endpoints: ['10.0.0.1'] });
    expect(service(fields)).toEqual([]);
    expect([tracker.ports.size, tracker.counts.services]).toEqual([0, 0]);
    expect(service({})).toEqual(['ns/web/tcp']);
    expect(tracker.counts.services).toBe(1);
    expect(tracker.ports.get('ns/web/tcp')?.clusterEndpoints).toHaveLength(1);
    expect(service(fields)).toEqual(['ns/web/tcp']);
    expect([tracker.ports.size, tracker.counts.services, tracker.counts.endpoints]).toEqual([0, 0, 0]);
  });

  test('a proxy with a name serves those with its name only', () => {
    const { service } = openTracker({ proxyName: 'mine' });
    expect(service({})).toEqual([]);
    expect(service({ proxyName: 'mine' })).toEqual(['ns/web/tcp']);
  });

  test('a port is known by name and protocol', () => {
    const { tracker, service } = openTracker();
    const ports = [
      { name: 'dns', protocol: 'udp' as const, port: 53 },
      { name: 'dns', protocol: 'tcp' as const, port: 53 },
      { name: 'metrics', port: 9153 },
    ];
    expect(service({ ports })).toEqual(['ns/web:dns/tcp', 'ns/web:dns/udp', 'ns/web:metrics/tcp']);
    expect(service({ ports: ports.slice(1) })).toEqual(['ns/web:dns/udp']);
    expect(tracker.counts).toMatchObject({ services: 1, ports: 2 });
  });

  test('each family sees its own addresses', () => {
    const dual = {
      type: 'LoadBalancer' as const,
      clusterIps: ['10.96.0.1', 'fd00:96::1'],
      externalIps: ['192.0.2.1', '2001:db8::1', '192.0.2.1'],
      loadBalancerIps: ['198.51.100.1', '2001:db8::2'],
      loadBalancerSourceRanges: ['203.0.113.7/24', '2001:db8:1::/48'],
    };
    for (const [family, cluster, external, balancer, range] of [
      [4, '10.96.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.0/24'],
      [6, 'fd00:96::1', '2001:db8::1', '2001:db8::2', '2001:db8:1::/48'],
    ] as const) {
      const { service, port } = openTracker({ family });
      service(dual);
      const { clusterIp, externalIps, loadBalancerIps, sourceRanges } = port();
      expect([clusterIp, externalIps, loadBalancerIps, sourceRanges].map(String)).toEqual([
        cluster,
        external,
        balancer,
        range,
      ]);
    }
  });

  test('ranges of the other family only let nobody in; no ranges let everybody in', () => {
    const { service, port } = openTracker();
    const balancer = { type: 'LoadBalancer' as const, loadBalancerIps: ['198.51.100.1'] };
    service({ ...balancer, loadBalancerSourceRanges: ['2001:db8::/32'] });
    expect(port().sourceRanges).toEqual([]);
    service(balancer);
    expect(port().sourceRanges).toBeUndefined();
  });

  test('an address named twice stays where it is guarded best', () => {
    const { tracker, service, port } = openTracker();
    service({
      externalIps: ['198.51.100.1', '10.96.0.10', '192.0.2.1'],
      loadBalancerIps: ['198.51.100.1', '10.96.0.10'],
    });
    expect([port().loadBalancerIps.join(), port().externalIps.join()]).toEqual(['198.51.100.1', '192.0.2.1']);
    expect(tracker.problems).toEqual([]);
  });

  test('the node port that a ClusterIP service was left with opens nothing', () => {
    const { service, port } = openTracker();
    service({ ports: [{ nodePort: 30080 }] });
    expect(port().nodePort).toBeUndefined();
    service({ type: 'NodePort', ports: [{ nodePort: 30080 }] });
    expect(port().nodePort).toBe(30080);
  });
});

describe('endpoints come and go (UpdateEndpointsMap)', () => {
  test('slices before their service, several slices, one moves, one goes', () => {
    const { tracker, service, slice, removeSlice, endpoints } = openTracker();
    expect(slice({ name: 'a', endpoints: ['10.0.0.2'] }, { name: 'b', endpoints: ['10.0.0.1'] })).toEqual([]);
    expect(service({}, { name: 'other', clusterIps: ['10.96.0.11'] })).toEqual([
      'ns/other/tcp',
      'ns/web/tcp',
    ]);
    expect(endpoints()).toBe('10.0.0.1:8080 10.0.0.2:8080 | ');
    expect(slice({ name: 'b', service: 'other', endpoints: ['10.0.0.1'] })).toEqual([
      'ns/other/tcp',
      'ns/web/tcp',
    ]);
    expect([endpoints(), endpoints('ns/other/tcp')]).toEqual(['10.0.0.2:8080 | ', '10.0.0.1:8080 | ']);
    expect(removeSlice('ns/a')).toEqual(['ns/web/tcp']);
    expect(tracker.ports.get('ns/web/tcp')?.hasAnyEndpoint).toBe(false);
    expect(removeSlice('ns/a')).toEqual([]);
  });

  test('only what a mode can see is named, and the rest are the same objects', () => {
    const { tracker, service, slice } = openTracker();
    const ports = [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ];
    service({ ports, createdAt: 1 });
    slice({ ports: [{ name: 'http' }], endpoints: ['10.0.0.1'] });
    const before = tracker.ports.get('ns/web:http/tcp');
    expect(service({ ports, createdAt: 2, selector: new Map([['app', 'web']]) })).toEqual([]);
    expect(
      slice({ ports: [{ name: 'http' }], endpoints: ['10.0.0.1', { address: '10.0.0.9', ready: false }] }),
    ).toEqual([]);
    expect(tracker.ports.get('ns/web:http/tcp')).toBe(before);
    expect(slice({ ports: [{ name: 'http' }], endpoints: ['10.0.0.1', '10.0.0.9'] })).toEqual([
      'ns/web:http/tcp',
    ]);
  });

  test('a slice that is of another family now is gone', () => {
    const { service, slice, endpoints } = openTracker();
    service({});
    slice({ endpoints: ['10.0.0.1'] });
    expect(slice({ family: 6, endpoints: ['fd00::1'] })).toEqual(['ns/web/tcp']);
    expect(endpoints()).toBe(' | ');
  });

  test('an Endpoints object counts until there is a real slice', () => {
    const { service, slice, removeSlice, endpoints } = openTracker();
    service({});
    slice({ name: 'endpoints/web', mirrored: true, endpoints: ['10.0.0.1'] });
    expect(endpoints()).toBe('10.0.0.1:8080 | ');
    slice({ name: 'web-x', endpoints: ['10.0.0.2'] });
    expect(endpoints()).toBe('10.0.0.2:8080 | ');
    removeSlice('ns/web-x');
    expect(endpoints()).toBe('10.0.0.1:8080 | ');
  });

  test('a rolling update (EndpointSliceE2E)', () => {
    const { service, slice, endpoints } = openTracker();
    service({ internalTrafficPolicy: 'Local' });
    const local = (last: number, rest: object = {}) => ({ address: `10.0.0.${last}`, ...here, ...rest });
    const leaving = { ready: false, terminating: true };
    slice({ endpoints: [local(1), local(2), { address: '10.0.0.3', nodeName: 'there' }] });
    expect(endpoints()).toBe(' | 10.0.0.1:8080 10.0.0.2:8080');
    slice({ endpoints: [local(1, leaving), local(2), { address: '10.0.0.3', nodeName: 'there' }] });
    expect(endpoints()).toBe(' | 10.0.0.2:8080');
    slice({
      endpoints: [local(1, leaving), local(2, leaving), { address: '10.0.0.3', nodeName: 'there' }],
    });
    expect(endpoints()).toBe(' | 10.0.0.1:8080 10.0.0.2:8080');
    slice({ endpoints: [local(1, { ...leaving, serving: false })] });
    expect(endpoints()).toBe(' | ');
  });

  test('the node changes its zone', () => {
    const { tracker, service, slice, endpoints } = openTracker({ zone: 'a' });
    service({}, { name: 'plain', clusterIps: ['10.96.0.11'] });
    slice(
      {
        endpoints: [
          { address: '10.0.0.1', zoneHints: ['a'] },
          { address: '10.0.0.2', zoneHints: ['b'] },
        ],
      },
      { service: 'plain', endpoints: ['10.0.0.3'] },
    );
    expect(endpoints()).toBe('10.0.0.1:8080 | ');
    expect([...tracker.setZone('b')]).toEqual(['ns/web/tcp']);
    expect(endpoints()).toBe('10.0.0.2:8080 | ');
    expect([...tracker.setZone('b')]).toEqual([]);
    tracker.setZone(undefined);
    expect(endpoints()).toBe('10.0.0.1:8080 10.0.0.2:8080 | ');
  });

  test('all that serve keep their UDP flows, whatever the policy', () => {
    const { tracker, service, slice } = openTracker();
    const ports = [{ name: 'dns', protocol: 'udp' as const }];
    service({ ports, internalTrafficPolicy: 'Local' });
    slice({
      ports,
      endpoints: [
        { address: '10.0.0.1', nodeName: 'there' },
        { address: '10.0.0.2', ready: false, terminating: true },
        { address: '10.0.0.3', ready: false },
        { address: '10.0.0.4', ready: false, serving: false },
        '127.0.0.1',
      ],
    });
    expect([...tracker.servingAddresses('ns/web:dns/udp')]).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect([...tracker.servingAddresses('ns/gone/udp')]).toEqual([]);
  });
});
