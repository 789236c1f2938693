import { expect, test } from '@jest/globals';
import { realClock } from '../runtime/clock.ts';
import { createManualClock } from '../runtime/manual-clock.ts';
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

/** A store that can be away, and counts what it is asked. */
function storeAndClock() {
  const clock = createManualClock();
  const state = { isAway: false, acquired: 0, renewed: 0 };
  const unused = () => Promise.reject(new Error('Not asked for here'));
  const answer = async <Value>(value: Value): Promise<Value> => {
    if (state.isAway) throw new Error('It is away');
    return value;
  };
  const store: LeaseStore = {
    networkConfig: unused,
    release: unused,
    snapshot: unused,
    watch: () => {
      throw new Error('Not asked for here');
    },
    close: () => Promise.resolve(),
    acquire: (request) => {
      state.acquired++;
      return answer({ ...sampleLease({ number: 1 }), ...request });
    },
    renew: (lease) => {
      state.renewed++;
      return answer(lease);
    },
  };
  const holder = createLeaseHolder({
    store,
    node: 'node-1',
    renewInterval: 3_600_000,
    clock,
    random: () => 0.5,
    previous: () => undefined,
  });
  return { clock, state, holder };
}

test('renewals are spread: up to a quarter early, by chance', async () => {
  const { clock, state, holder } = storeAndClock();
  await holder.hold(sampleLease({ number: 1 }), signal);
  expect(holder.renewAt).toBe(3_600_000 * 0.875);
  await clock.advance(3_600_000 * 0.875 - 1);
  await holder.hold(sampleLease({ number: 1 }), signal);
  expect(state.renewed).toBe(0);
  await clock.advance(1);
  await holder.hold(sampleLease({ number: 1 }), signal);
  expect(state.renewed).toBe(1);
});

test('a store that is away is asked ever more seldom, however often there is a pass', async () => {
  const { clock, state, holder } = storeAndClock();
  await holder.hold(sampleLease({ number: 1 }), signal);
  state.isAway = true;
  await clock.advance(3_600_000);
  const passes = async (seconds: number): Promise<void> => {
    for (let pass = 0; pass < seconds * 4; pass++) {
      await holder.hold(sampleLease({ number: 1 }), signal);
      await clock.advance(250);
    }
  };
  await passes(60);
  // After 0.375, 0.75, 1.5, 3 and 6 s, then each 7.5 s, at the next pass.
  expect(state.renewed).toBe(12);
  expect(holder.error).toEqual(new Error('It is away'));
  expect(holder.isHeld).toBe(true);
  state.isAway = false;
  await passes(10);
  expect(state.renewed).toBe(13);
  expect(holder.error).toBeUndefined();
});

test('a lease that cannot be had yet is asked for later', async () => {
  const { clock, state, holder } = storeAndClock();
  state.isAway = true;
  await holder.hold(sampleLease({ number: 1 }), signal);
  const { lease, error } = await holder.hold(sampleLease({ number: 1 }), signal);
  expect(lease).toBeUndefined();
  expect(error).toEqual(new Error('It is away'));
  expect(state.acquired).toBe(1);
  expect(holder.renewAt).toBe(375);
  state.isAway = false;
  await clock.advance(375);
  expect((await holder.hold(sampleLease({ number: 1 }), signal)).lease).toBeDefined();
});
