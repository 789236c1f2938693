// The table that is kept from pass to pass says what a new one says, whatever it was told before.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { routeState } from '../kernel/route/objects.ts';
import type { Lease } from '../store/lease.ts';
import { createPeerTable, type PeerObjects, type PeerTableInput } from './peer-table.ts';
import { routeLookup } from './route-lookup.ts';
import { leaseMap, sampleConfig, sampleLease, sampleMachine, sampleUnderlay } from './sample-cluster.ts';

const backends = {
  vxlan: sampleConfig({ backend: { Type: 'vxlan' } }),
  direct: sampleConfig({ backend: { Type: 'vxlan', DirectRouting: true } }),
  'host-gw': sampleConfig({ backend: { Type: 'host-gw' } }),
} as const;

const machine = sampleMachine();
const machines = {
  whole: machine,
  /** Nobody is on the node's own network any more. */
  'without routes': { ...machine, routes: routeState({}).routes },
};

interface Moment {
  readonly backend: keyof typeof backends;
  readonly machine: keyof typeof machines;
  readonly own: number;
  readonly leases: readonly Lease[];
}

const lease = fc
  .record({
    number: fc.integer({ min: 1, max: 8 }),
    publicIp: fc.option(
      fc.constantFrom('192.0.2.1', '192.0.2.3', '192.0.2.77', '203.0.113.9', '10.244.0.9'),
      { nil: undefined },
    ),
    vtepMac: fc.option(fc.constantFrom('02:00:00:00:04:03', '02:00:00:00:04:01', '02:00:00:00:99:99'), {
      nil: undefined,
    }),
    subnet: fc.option(fc.constantFrom('10.244.0.0/21', '10.244.100.0/24', '172.31.0.0/24'), {
      nil: undefined,
    }),
    expiresAt: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    /** Of another backend than this node. */
    isOther: fc.boolean(),
  })
  .map(({ number, isOther, ...rest }) => ({ number, isOther, ...definedOf(rest) }));

const moment = fc.record({
  backend: fc.constantFrom('vxlan', 'direct', 'host-gw'),
  machine: fc.constantFrom('whole', 'without routes'),
  own: fc.constantFrom(1, 1, 1, 2),
  leases: fc.array(lease, { maxLength: 6 }),
});

function definedOf<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Only fields that are undefined go: what is left has the types that it had.
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function inputOf({ backend, machine: name, own, leases }: Moment): PeerTableInput {
  const actual = machines[name];
  return {
    config: backends[backend],
    own: sampleLease({ number: own, backend: backend === 'host-gw' ? backend : 'vxlan' }),
    leases: leaseMap(leases),
    underlay: sampleUnderlay(),
    routeTo: routeLookup(actual),
    actual,
  };
}

/** All that it says, but for the ends of leases, and in no order but the peers'. */
function textOf({ peers, rejected, ...objects }: PeerObjects): unknown {
  return JSON.parse(
    JSON.stringify({
      peers: peers.map(({ lease: { expiresAt: _, ...rest }, ...plan }) => ({ ...plan, lease: rest })),
      rejected: rejected.map(({ lease: { expiresAt: _, ...rest }, reason }) => ({ lease: rest, reason })),
      neighbours: [...objects.neighbours].toSorted(byKey),
      fdb: [...objects.fdb].toSorted(byKey),
      routes: [...objects.routes].toSorted(byKey),
    }),
  );
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

function check(moments: readonly Moment[]): void {
  const table = createPeerTable();
  for (const each of moments) {
    const input = inputOf(each);
    expect(textOf(table.update(input))).toEqual(textOf(createPeerTable().update(input)));
  }
}

describe('a table that was used before', () => {
  test('says what a new one says, from any moment to any other', () => {
    const moments = fc.array(moment, { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(moments, (given) => {
        check(
          given.map(({ leases, backend, ...rest }) => ({
            ...rest,
            backend,
            leases: leases.map(({ isOther, ...each }) =>
              sampleLease({ ...each, backend: (backend === 'host-gw') !== isOther ? 'host-gw' : 'vxlan' }),
            ),
          })),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('the same while one lease after the other comes, changes and goes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(lease, fc.boolean()), { maxLength: 25 }), (changes) => {
        const now = new Map<number, Lease>();
        check(
          changes.map(([sample, goes]) => {
            if (goes) now.delete(sample.number);
            else
              now.set(sample.number, sampleLease({ ...sample, backend: sample.isOther ? 'ipip' : 'vxlan' }));
            return { backend: 'vxlan', machine: 'whole', own: 1, leases: [...now.values()] };
          }),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('keeps the objects of leases that did not change', () => {
    const leases = [2, 3, 4].map((number) => sampleLease({ number }));
    const table = createPeerTable();
    const at = { backend: 'vxlan', machine: 'whole', own: 1 } as const;
    const before = table.update(inputOf({ ...at, leases }));
    const renewed = leases.map((each) => ({ ...each, expiresAt: 9 }));
    const after = table.update(inputOf({ ...at, leases: [...renewed, sampleLease({ number: 5 })].slice(1) }));
    const key = '254 10.244.3.0/24 0';
    expect(after.routes.get(key)).toBe(before.routes.get(key));
    expect([...after.routes.keys()]).toEqual([
      '254 10.244.3.0/24 0',
      '254 10.244.4.0/24 0',
      '254 10.244.5.0/24 0',
    ]);
  });
});
