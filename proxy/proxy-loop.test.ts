import { describe, expect, test } from '@jest/globals';
import { createManualClock } from '../runtime/manual-clock.ts';
import type { ServiceBatch } from '../store/service-source.ts';
import { createFakeProxyMode } from './fake-proxy-mode.ts';
import { createFamilyLoop, type LoopListener, type SyncDone } from './proxy-loop.ts';
import type { RuleContext } from './rule-context.ts';
import { sampleService, sampleSlice } from './sample-services.ts';
import { createServiceTracker } from './service-tracker.ts';

const context: RuleContext = {
  family: 4,
  nodeIps: [],
  nodePortIps: 'all',
  localhostNodePorts: false,
  localDetector: { kind: 'none' },
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  serviceNetworks: [],
  dropInvalid: false,
};

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function batch(services: readonly string[], more: Partial<ServiceBatch> = {}): ServiceBatch {
  return {
    services: new Map(
      services.map((name) => [`ns/${name}`, sampleService({ name, clusterIps: [`10.96.0.${name}`] })]),
    ),
    slices: new Map(),
    problems: [],
    heardAt: 0,
    ...more,
  };
}

function endpoints(service: string, addresses: readonly string[], udp = false): Partial<ServiceBatch> {
  const protocol = udp ? ('udp' as const) : ('tcp' as const);
  const slice = sampleSlice({ service, ports: [{ protocol }], endpoints: addresses, triggeredAt: 77 });
  return { slices: new Map([[`ns/${service}-1`, slice]]) };
}

function loopOf({ minSyncPeriod = 1000, syncPeriod = 30_000 } = {}) {
  const clock = createManualClock(1_000_000);
  const mode = createFakeProxyMode();
  const syncs: SyncDone[] = [];
  const heard: string[] = [];
  const listener: LoopListener = {
    queued: () => heard.push('queued'),
    synced(done) {
      syncs.push(done);
      heard.push('synced');
    },
    failed: (_, { full }) => heard.push(full ? 'failed full' : 'failed'),
  };
  const tracker = createServiceTracker({ family: 4, nodeName: 'n1' });
  const loop = createFamilyLoop({
    family: 4,
    tracker,
    mode,
    context,
    minSyncPeriod,
    syncPeriod,
    clock,
    log: quiet,
    listener,
  });
  return { clock, mode, syncs, heard, loop, tracker };
}

/** With services 1 and 2 in place, and quiet for longer than the least period. */
async function running(periods = {}) {
  const parts = loopOf(periods);
  parts.loop.start();
  parts.loop.take(batch(['1', '2']));
  await parts.loop.settled();
  await parts.clock.advance(2000);
  return parts;
}

test('nothing is programmed before the first batch; that is a look at everything', async () => {
  const { clock, mode, loop, syncs } = loopOf();
  loop.start();
  await clock.advance(120_000);
  expect(mode.calls).toEqual([]);
  expect(loop.state.synced).toBe(false);
  loop.take(batch([]));
  await loop.settled();
  expect(mode.calls).toEqual(['all']);
  expect(loop.state.synced).toBe(true);
  expect(syncs).toMatchObject([{ udp: 'all', heardAt: undefined, mended: false }]);
});

describe('changes', () => {
  test('the first after quiet goes through at once, without a timer; those after it together', async () => {
    const { clock, mode, loop } = await running();
    const timers = clock.timers;
    loop.take(batch(['3']));
    await Promise.resolve();
    expect(clock.timers).toBe(timers);
    await loop.settled();
    expect(mode.calls).toEqual(['all', ['ns/3/tcp']]);
    loop.take(batch(['4']));
    loop.take(batch([], endpoints('1', ['10.244.0.1'])));
    loop.take(batch([], { services: new Map([['ns/2', undefined]]) }));
    await loop.settled();
    expect(mode.calls).toHaveLength(2);
    await clock.advance(1000);
    expect(mode.calls.slice(2)).toEqual([['ns/1/tcp', 'ns/2/tcp', 'ns/4/tcp']]);
    expect([...mode.held].sort()).toEqual(['ns/1/tcp', 'ns/3/tcp', 'ns/4/tcp']);
  });

  test('that come during a sync are not seen by it, and follow it', async () => {
    const { mode, loop, tracker, clock } = await running({ minSyncPeriod: 0 });
    const { promise, resolve } = Promise.withResolvers<void>();
    mode.gate = promise;
    loop.take(batch(['3']));
    await clock.advance(0);
    loop.take(batch(['4']));
    await clock.advance(0);
    expect(tracker.ports.has('ns/4/tcp')).toBe(false);
    mode.gate = undefined;
    resolve();
    await loop.settled();
    expect(mode.calls.slice(1)).toEqual([['ns/3/tcp'], ['ns/4/tcp']]);
  });

  test('that no mode can see ask for none, and still count as done', async () => {
    const { mode, loop, heard } = await running();
    const again = batch(['1']);
    loop.take(again);
    await loop.settled();
    expect(mode.calls).toEqual(['all']);
    expect(heard).toEqual(['queued', 'synced', 'queued', 'synced']);
  });

  test('tell when they were heard of, and when they were made', async () => {
    const { loop, syncs, clock } = await running();
    loop.take(batch(['3'], { ...endpoints('1', ['10.244.0.1']), heardAt: 20 }));
    await loop.settled();
    loop.take(batch(['4'], { heardAt: 50 }));
    loop.take(batch(['5'], { heardAt: 40 }));
    await clock.advance(1000);
    expect(syncs.slice(1).map(({ heardAt, triggeredAt }) => [heardAt, triggeredAt])).toEqual([
      [20, [77]],
      [40, []],
    ]);
  });

  test('of UDP endpoints are named, also where the rules do not change', async () => {
    const { loop, syncs, clock, mode } = await running({ minSyncPeriod: 0 });
    const dns = sampleService({ name: '5', clusterIps: ['10.96.0.5'], ports: [{ protocol: 'udp' }] });
    loop.take(batch(['3'], { services: new Map([['ns/5', dns]]), ...endpoints('5', ['10.244.0.1'], true) }));
    await loop.settled();
    const calls = mode.calls.length;
    const ending = { address: '10.244.0.2', ready: false, serving: true, terminating: true };
    const slice = sampleSlice({
      service: '5',
      ports: [{ protocol: 'udp' }],
      endpoints: ['10.244.0.1', ending],
    });
    loop.take(batch([], { slices: new Map([['ns/5-1', slice]]) }));
    await clock.advance(0);
    loop.take(batch([], endpoints('5', ['10.244.0.1'], true)));
    await clock.advance(0);
    loop.take(batch(['4']));
    await clock.advance(0);
    expect(mode.calls).toHaveLength(calls + 1);
    expect(syncs.slice(1).map(({ udp }) => [...udp])).toEqual([['ns/5/udp'], ['ns/5/udp'], ['ns/5/udp'], []]);
  });
});

describe('failures', () => {
  test('a port that fails is tried again by itself, ever more rarely; others go on', async () => {
    const { clock, mode, loop } = await running({ minSyncPeriod: 0, syncPeriod: 10 ** 9 });
    mode.refused.add('ns/3/tcp');
    loop.take(batch(['3', '4']));
    await loop.settled();
    expect([...loop.state.failed.keys()]).toEqual(['ns/3/tcp']);
    expect(mode.held.has('ns/4/tcp')).toBe(true);
    await clock.advance(500);
    loop.take(batch(['6']));
    await clock.advance(0);
    expect(mode.calls.slice(2)).toEqual([['ns/3/tcp'], ['ns/6/tcp']]);
    expect([...loop.state.failed.keys()]).toEqual(['ns/3/tcp']);
    await clock.advance(120_000);
    const tries = mode.calls.filter((keys) => keys.includes('ns/3/tcp')).length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(15);
    mode.refused.clear();
    await clock.advance(30_000);
    expect(loop.state.failed.size).toBe(0);
    expect(mode.held.has('ns/3/tcp')).toBe(true);
  });

  test('a port that failed and is gone fails no more', async () => {
    const { mode, loop, clock } = await running({ minSyncPeriod: 0 });
    mode.refused.add('ns/3/tcp');
    loop.take(batch(['3']));
    await clock.advance(0);
    loop.take(batch([], { services: new Map([['ns/3', undefined]]) }));
    await clock.advance(0);
    expect(loop.state.failed.size).toBe(0);
  });

  test('a sync that is refused as a whole is tried again, with everything', async () => {
    const { clock, mode, loop, heard } = await running({ syncPeriod: 10 ** 9 });
    mode.broken = new Error('Cannot program the table: no');
    loop.take(batch(['3']));
    await loop.settled();
    expect(loop.state.error).toBe('Cannot program the table: no');
    expect(heard.at(-1)).toBe('failed');
    await clock.advance(3000);
    expect(mode.calls.slice(1, 3)).toEqual([['ns/3/tcp'], 'all']);
    expect(heard.at(-1)).toBe('failed full');
    mode.broken = undefined;
    await clock.advance(30_000);
    expect(loop.state.error).toBeUndefined();
    expect(loop.state.mended).toBe(0);
    expect(mode.held.has('ns/3/tcp')).toBe(true);
  });
});

describe('what others change', () => {
  test('is put back within a poll, whatever the least period', async () => {
    const { clock, mode, loop, syncs } = await running({ minSyncPeriod: 20_000 });
    mode.lose('ns/1/tcp');
    await clock.advance(250);
    expect(mode.held.has('ns/1/tcp')).toBe(true);
    expect(loop.state.mended).toBe(1);
    expect(syncs.at(-1)).toMatchObject({ mended: true, changed: 'all' });
  });

  test('again and again costs one look a second', async () => {
    const { clock, mode } = await running();
    const before = mode.calls.length;
    for (let i = 0; i < 40; i++) {
      mode.lose('ns/1/tcp');
      await clock.advance(250);
    }
    expect(mode.calls.length - before).toBeLessThanOrEqual(10);
  });

  test('and nobody heard of is found by the look at everything', async () => {
    const { clock, mode, loop } = await running();
    mode.lose('ns/1/tcp');
    mode.changed = () => false;
    await clock.advance(30_000);
    expect(mode.calls).toEqual(['all', 'all']);
    expect(loop.state.mended).toBe(1);
  });

  test('a mode that cannot say is looked at', async () => {
    const { clock, mode } = await running();
    mode.changed = () => {
      throw new Error('no');
    };
    await clock.advance(250);
    expect(mode.calls).toEqual(['all', 'all']);
  });
});

test('another context is a look at everything; the same one is nothing', async () => {
  const { mode, loop, clock } = await running();
  loop.setContext({ ...context, nodeIps: [] });
  await clock.advance(5000);
  expect(mode.calls).toEqual(['all']);
  loop.setContext({ ...context, masqueradeAll: true });
  await clock.advance(0);
  expect(mode.calls).toEqual(['all', 'all']);
  expect(loop.state.mended).toBe(0);
  expect(loop.state.context.masqueradeAll).toBe(true);
});

test('another zone is a look at what has hints for zones, and at nothing else', async () => {
  const { mode, loop, clock } = await running();
  const zoneA = { address: '10.0.0.1', zoneHints: ['a'] };
  const zoneB = { address: '10.0.0.2', zoneHints: ['b'] };
  const slice = sampleSlice({ service: '1', endpoints: [zoneA, zoneB] });
  loop.take(batch([], { slices: new Map([['ns/1-1', slice]]) }));
  await clock.advance(5000);
  const before = mode.calls.length;
  loop.setZone('a');
  await clock.advance(5000);
  expect(mode.calls.slice(before)).toEqual([['ns/1/tcp']]);
  loop.setZone('a');
  await clock.advance(5000);
  expect(mode.calls).toHaveLength(before + 1);
});

test('stopping leaves the rules, and nothing runs afterwards', async () => {
  const { mode, loop, clock } = await running();
  await loop.stop();
  loop.take(batch(['3']));
  mode.lose('ns/1/tcp');
  await clock.advance(120_000);
  expect(mode.calls).toEqual(['all']);
  expect([...mode.held]).toEqual(['ns/2/tcp']);
  expect(clock.timers).toBe(0);
});
