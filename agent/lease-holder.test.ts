import { expect, test } from '@jest/globals';
import { realClock } from '../runtime/clock.ts';
import type { Lease } from '../store/lease.ts';
import { leaseKey } from '../store/lease-key.ts';
import type { LeaseSnapshot, LeaseStore } from '../store/lease-store.ts';
import { createLeaseHolder, type LeaseHolder } from './lease-holder.ts';
import { sampleConfig, sampleLease } from './sample-cluster.ts';

const signal = new AbortController().signal;

function snapshotWith(lease: Lease): LeaseSnapshot {
  return { config: sampleConfig({}), leases: new Map([[leaseKey(lease), lease]]), problems: [] };
}

function holderOn(acquire: (lease: Lease) => void): LeaseHolder {
  const unused = () => Promise.reject(new Error('Not asked for here'));
  const store: LeaseStore = {
    networkConfig: unused,
    renew: unused,
    release: unused,
    snapshot: unused,
    watch: () => {
      throw new Error('Not asked for here');
    },
    close: () => Promise.resolve(),
    acquire: async (request) => {
      const lease = { ...sampleLease({ number: 1 }), ...request };
      acquire(lease);
      return lease;
    },
  };
  return createLeaseHolder({
    store,
    node: 'node-1',
    renewInterval: 60_000,
    clock: realClock,
    previous: () => undefined,
  });
}

test('a lease of ours that the store tells of before it has answered is no stranger’s', async () => {
  const seen: (string | undefined)[] = [];
  const holder = holderOn((lease) => {
    holder.notice(snapshotWith(lease));
    seen.push(holder.conflict);
  });
  await holder.hold(sampleLease({ number: 1 }), signal);
  // The address of the node changes: the second time the holder has a lease to compare with.
  await holder.hold(sampleLease({ number: 1, publicIp: '192.0.2.201' }), signal);
  expect(seen).toEqual([undefined, undefined]);
  expect(holder.conflict).toBeUndefined();
});

test('another machine under our name is told, until it is gone', async () => {
  const holder = holderOn(() => undefined);
  await holder.hold(sampleLease({ number: 1 }), signal);
  holder.notice(snapshotWith(sampleLease({ number: 1, publicIp: '192.0.2.99' })));
  expect(holder.conflict).toContain('is that of 192.0.2.99');
  holder.notice(snapshotWith(sampleLease({ number: 1 })));
  expect(holder.conflict).toBeUndefined();
});
