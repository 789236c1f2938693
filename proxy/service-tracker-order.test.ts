// Whatever the order in which services and slices come, change and go: the ports are those of the final state, and what changed is named.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type EndpointSlice, sliceKey } from '../store/endpoint-slice.ts';
import { type Service, serviceKey } from '../store/service.ts';
import { sampleService, sampleSlice } from './sample-services.ts';
import { createServiceTracker, type ServiceTracker } from './service-tracker.ts';

/** What turns most else off would leave little to test if it came often. */
const rarely = <T>(rare: T, mostly: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: mostly, weight: 9 }, { arbitrary: fc.constant(rare), weight: 1 });

// Few values, so that services want the same addresses, and slices of one service list the same endpoints.
const addresses = ['10.96.0.1', '10.96.0.2', '198.51.100.1', '198.51.100.2'] as const;
const policy = fc.constantFrom('Cluster' as const, 'Local' as const);
const servicePort = fc.record({
  name: fc.constantFrom('', '', 'a'),
  protocol: fc.constantFrom('tcp' as const, 'tcp' as const, 'udp' as const),
  port: fc.constantFrom(80, 80, 81),
  nodePort: fc.constantFrom(undefined, 30000, 30001),
});
const service = fc
  .record({
    name: fc.constantFrom('web', 'api', 'db'),
    type: rarely('ExternalName' as const, fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer')),
    clusterIps: rarely<string[]>(
      [],
      fc.constantFrom(['10.96.0.1'], ['10.96.0.2'], ['10.96.0.3', 'fd00:96::1']),
    ),
    ports: fc.array(servicePort, { minLength: 1, maxLength: 2 }),
    externalIps: fc.subarray([...addresses]),
    loadBalancerIps: fc.subarray([...addresses]),
    loadBalancerSourceRanges: fc.subarray(['10.0.0.0/8', '2001:db8::/32']),
    affinitySeconds: fc.constantFrom(undefined, 10800),
    externalTrafficPolicy: policy,
    internalTrafficPolicy: policy,
    healthCheckNodePort: fc.constantFrom(undefined, 30000, 30002),
    proxyName: rarely<string | undefined>('other', fc.constant(undefined)),
    headless: rarely(true, fc.constant(false)),
    selector: fc.constantFrom(undefined, new Map()),
    createdAt: fc.constantFrom(undefined, 1, 2),
  })
  .map(sampleService);
const endpoint = fc.record({
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.10', '127.0.0.1'),
  ready: fc.boolean(),
  serving: fc.boolean(),
  terminating: fc.boolean(),
  nodeName: fc.constantFrom(undefined, 'here', 'there'),
  zoneHints: fc.constantFrom([], ['a'], ['b']),
  nodeHints: fc.constantFrom([], ['here'], ['there']),
});
const slice = fc
  .record({
    name: fc.constantFrom('one', 'two', 'three'),
    service: rarely('api', fc.constant('web')),
    family: rarely<4 | 6>(6, fc.constant(4)),
    ports: rarely<{ name: string; port: number }[]>(
      [{ name: 'a', port: 9090 }],
      fc.constant([{ name: '', port: 8080 }]),
    ),
    endpoints: fc.array(endpoint, { maxLength: 4 }),
    mirrored: rarely(true, fc.constant(false)),
  })
  .map(sampleSlice);
const change = fc.oneof(
  service.map((object) => ({ kind: 'service', object }) as const),
  slice.map((object) => ({ kind: 'slice', object }) as const),
  fc.constantFrom('ns/web', 'ns/api', 'ns/db').map((key) => ({ kind: 'no-service', key }) as const),
  fc.constantFrom('ns/one', 'ns/two', 'ns/three').map((key) => ({ kind: 'no-slice', key }) as const),
  fc.constantFrom(undefined, 'a', 'b').map((zone) => ({ kind: 'zone', zone }) as const),
);

function open(zone: string | undefined): ServiceTracker {
  return createServiceTracker({ family: 4, nodeName: 'here', zone });
}

/** All that can be asked of a tracker; ports as text by key. */
function stateOf(tracker: ServiceTracker) {
  const { problems, counts } = tracker;
  const { services, ports, endpoints, noLocalInternal, noLocalExternal } = counts;
  return {
    ports: new Map([...tracker.ports].map(([key, port]) => [key, JSON.stringify(port)])),
    healthChecks: new Map(tracker.healthChecks),
    serving: new Map([...tracker.ports.keys()].map((key) => [key, [...tracker.servingAddresses(key)]])),
    problems,
    counts: { services, ports, endpoints, noLocalInternal, noLocalExternal },
  };
}

function differing<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)))
    .sort();
}

test('step by step is as from scratch, and exactly the changes are named', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 12, size: 'max' }), (batches) => {
      const allServices = new Map<string, Service>();
      const allSlices = new Map<string, EndpointSlice>();
      let zone: string | undefined = 'a';
      const tracker = open(zone);
      for (const batch of batches) {
        const services = new Map<string, Service | undefined>();
        const slices = new Map<string, EndpointSlice | undefined>();
        const before = stateOf(tracker);
        const zoneBefore: string | undefined = zone;
        for (const one of batch) {
          if (one.kind === 'service') services.set(serviceKey(one.object), one.object);
          else if (one.kind === 'slice') slices.set(sliceKey(one.object), one.object);
          else if (one.kind === 'no-service') services.set(one.key, undefined);
          else if (one.kind === 'no-slice') slices.set(one.key, undefined);
          else zone = one.zone;
        }
        const named = new Set(tracker.apply({ services, slices }));
        // A zone change is a step of its own, as it is in the proxy.
        const between = stateOf(tracker);
        expect([...named].sort()).toEqual(differing(before.ports, between.ports));
        const renamed = tracker.setZone(zone);
        if (zone === zoneBefore) expect(renamed.size).toBe(0);

        for (const [key, one] of services) setOrDelete(allServices, key, one);
        for (const [key, one] of slices) setOrDelete(allSlices, key, one);
        const after = stateOf(tracker);
        expect([...renamed].sort()).toEqual(differing(between.ports, after.ports));
        expect([...tracker.healthChanged()].sort()).toEqual(
          differing(before.healthChecks, after.healthChecks),
        );
        const fresh = open(zone);
        fresh.apply({ services: shuffled(allServices), slices: shuffled(allSlices) });
        expect(after).toEqual(stateOf(fresh));
      }
      // Nothing is kept of what is gone.
      tracker.apply({ services: emptied(allServices), slices: emptied(allSlices) });
      expect(stateOf(tracker)).toEqual(stateOf(open(zone)));
    }),
    { numRuns: 600 },
  );
});

function setOrDelete<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/** The other way round: the tracker saw them in the order in which they came. */
function shuffled<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...map].reverse());
}

function emptied(map: ReadonlyMap<string, unknown>): ReadonlyMap<string, undefined> {
  return new Map([...map.keys()].map((key) => [key, undefined]));
}
