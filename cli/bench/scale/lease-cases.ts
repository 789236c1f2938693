// The cases of one store's leases: what a reader of it takes for a first snapshot, for one change, for bursts and rates of changes and at
// rest, and what it asks of the store meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { processReads } from '../../../kernel/process.ts';
import { median } from '../paired.ts';
import { inLanes } from './in-lanes.ts';
import { clusterAtRest, flannelEtcdStart } from './paper.ts';
import { type Traffic, trafficBetween } from './relay.ts';
import type { ScaleNews, Usage } from './scale-job.ts';
import { monotonic } from './scale-job.ts';
import { addRow, addSamples, inMebibytes, nodesText, type ScaleMeasuring } from './scale-measuring.ts';
import { firstNodes, type NodeState } from './scale-nodes.ts';
import { ScaleReader } from './scale-reader.ts';
import type { ScaleStore } from './scale-store.ts';

/** Nodes that come and go all the time. */
const flapping = 100;
/** Nodes a second that join where they do it one by one. */
const joinRate = 100;
/** Starts whose median counts, at most: each is a process. */
const mostStarts = 5;
const kilo = 1000;

interface Case {
  readonly measuring: ScaleMeasuring;
  readonly store: ScaleStore;
  /** The store has so many. */
  readonly nodes: number;
}

/** The store must have that many nodes. */
export async function startCase({ measuring, store, nodes }: Case): Promise<void> {
  const { times, signal, progress } = measuring;
  const name = `${store.name}, ${nodesText(nodes)}`;
  progress(`${name}: first snapshot`);
  const starts: number[] = [];
  let cost: Usage | undefined;
  let asked: Traffic | undefined;
  for (let run = 0; run < Math.min(measuring.runs, mostStarts); run++) {
    signal.throwIfAborted();
    const before = store.relay?.traffic;
    await using follower = await followLeases(store, nodes);
    starts.push(follower.firstAt - follower.reader.beganAt);
    if (before !== undefined && store.relay !== undefined)
      asked = trafficBetween(before, store.relay.traffic);
    // What was only needed for the start has gone.
    await sleep(Math.min(2000, times.rest));
    cost = await follower.reader.usage();
  }
  const time = median(starts);
  addRow(measuring, `${name}: first snapshot`, { value: time, unit: 'ms' });
  measuring.points.push({ what: 'time', store: store.name, nodes, value: time });
  if (asked !== undefined) {
    const peer =
      store.name === 'etcd' ? { name: 'flannel, computed', value: flannelEtcdStart(nodes) } : undefined;
    addRow(measuring, `${name}: first snapshot, requests`, { value: asked.requests, unit: 'requests', peer });
    addRow(measuring, `${name}: first snapshot, received`, { value: asked.down / kilo, unit: 'kB' });
  }
  if (cost === undefined) return;
  addRow(measuring, `${name}: memory of the reader`, { value: inMebibytes(cost.resident), unit: 'MB' });
  addRow(measuring, `${name}: its peak`, { value: inMebibytes(cost.peak), unit: 'MB' });
  measuring.points.push({ what: 'memory', store: store.name, nodes, value: cost.resident });
}

/** All that happens to a cluster of that size, one after the other; afterwards the store has as many nodes as before. */
export async function changeCases(item: Case): Promise<void> {
  const { measuring, store, nodes } = item;
  const name = `${store.name}, ${nodesText(nodes)}`;
  await using follower = await followLeases(store, nodes);
  await singleChanges(item, follower);
  await leaveAndJoin(item, follower);
  await flap(item, follower);
  await rest(item, follower);
  const { resident, peak } = await follower.reader.usage();
  addRow(measuring, `${name}: memory after all that`, { value: inMebibytes(resident), unit: 'MB' });
  addRow(measuring, `${name}: its peak after all that`, { value: inMebibytes(peak), unit: 'MB' });
}

/** All nodes join a store that has none, in one burst; a reader sees it. */
export async function burstCase({ measuring, store, nodes }: Case): Promise<void> {
  const name = `${store.name}: ${nodesText(nodes)} join at once`;
  measuring.progress(name);
  await using follower = await followLeases(store, 0);
  const before = await follower.reader.usage();
  const snapshots = follower.snapshots;
  const all = follower.has(nodes);
  const at = monotonic();
  await store.put(firstNodes(nodes));
  const written = monotonic() - at;
  const { at: seen } = await all;
  const after = await follower.reader.usage();
  addRow(measuring, `${name}: until all are in a snapshot`, { value: seen - at, unit: 'ms' });
  addRow(measuring, `${name}: of which they were written`, { value: written, unit: 'ms' });
  addRow(measuring, `${name}: processor time of the reader`, { value: after.cpu - before.cpu, unit: 'ms' });
  addRow(measuring, `${name}: snapshots`, { value: follower.snapshots - snapshots, unit: 'snapshots' });
}

interface Follower extends AsyncDisposable {
  readonly reader: ScaleReader;
  /** When the first snapshot with all nodes came. */
  readonly firstAt: number;
  readonly snapshots: number;
  /** The next snapshot with so many leases. Ask for it before that can happen. */
  has(leases: number): Promise<ScaleNews>;
  /** The next snapshot after the one that is known. */
  next(): Promise<ScaleNews>;
}

async function followLeases(store: ScaleStore, nodes: number): Promise<Follower> {
  let snapshots = 0;
  let firstAt: number | undefined;
  const isAll = (news: ScaleNews): boolean => news.news === 'leases' && news.leases >= nodes;
  const first = Promise.withResolvers<void>();
  const reader = await ScaleReader.start({ kind: 'leases', store: store.leases }, (news) => {
    if (news.news === 'leases') snapshots++;
    if (firstAt === undefined && isAll(news)) {
      firstAt = news.at;
      first.resolve();
    }
  });
  if (firstAt === undefined) await Promise.race([first.promise, reader.next(isAll)]);
  return {
    reader,
    firstAt: firstAt ?? Number.NaN,
    get snapshots() {
      return snapshots;
    },
    has: (leases) => reader.next((news) => news.news === 'leases' && news.leases === leases),
    next: () => reader.next((news) => news.news === 'leases'),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

async function singleChanges({ measuring, store, nodes }: Case, follower: Follower): Promise<void> {
  const name = `${store.name}, ${nodesText(nodes)}: one lease changes`;
  measuring.progress(name);
  const samples: number[] = [];
  const before = await follower.reader.usage();
  for (let sample = 0; sample < measuring.times.samples; sample++) {
    measuring.signal.throwIfAborted();
    // Where a file is looked at again a moment later, that is not to meet the next one.
    await sleep(20);
    const changed = follower.next();
    const at = monotonic();
    await store.put([{ number: sample % nodes, generation: sample + 1 }]);
    samples.push((await changed).at - at);
  }
  const after = await follower.reader.usage();
  addSamples(measuring, `${name}, write to snapshot`, samples);
  const cpu = (after.cpu - before.cpu) / measuring.times.samples;
  addRow(measuring, `${name}: processor time of the reader`, { value: cpu, unit: 'ms' });
}

async function leaveAndJoin({ measuring, store, nodes }: Case, follower: Follower): Promise<void> {
  const some = firstNodes(Math.max(1, Math.floor(nodes / 10)));
  const name = `${store.name}, ${nodesText(nodes)}: ${some.length.toLocaleString('en')}`;
  measuring.progress(`${name} leave`);
  const gone = follower.has(nodes - some.length);
  const leftAt = monotonic();
  await store.remove(some.map(({ number }) => number));
  addRow(measuring, `${name} leave at once, until a snapshot without them`, {
    value: (await gone).at - leftAt,
    unit: 'ms',
  });
  measuring.progress(`${name} join, ${joinRate} a second`);
  const before = { usage: await follower.reader.usage(), snapshots: follower.snapshots };
  const all = follower.has(nodes);
  const count = Math.min(some.length, Math.ceil((joinRate * measuring.times.churn) / 1000));
  const written = await atRate(
    some.slice(0, count),
    1000 / joinRate,
    (node) => store.put([node]),
    measuring.signal,
  );
  // The rest of them come at once: only the others are timed.
  await store.put(some.slice(count));
  const { at } = await all;
  const usage = await follower.reader.usage();
  const seconds = (at - written.from) / 1000;
  addRow(measuring, `${name} join, ${joinRate} a second: load of the reader`, {
    value: ((usage.cpu - before.usage.cpu) / (seconds * 1000)) * 100,
    unit: '% of a processor',
  });
  addRow(measuring, `${name} join, ${joinRate} a second: snapshots`, {
    value: (follower.snapshots - before.snapshots) / seconds,
    unit: 'a second',
  });
}

async function flap({ measuring, store, nodes }: Case, follower: Follower): Promise<void> {
  const { times, signal } = measuring;
  const some = firstNodes(Math.min(flapping, nodes));
  const name = `${store.name}, ${nodesText(nodes)}: ${some.length} of them come and go each second`;
  measuring.progress(name);
  const begin = { usage: await follower.reader.usage(), snapshots: follower.snapshots, at: monotonic() };
  const rounds = Math.max(1, Math.floor(times.churn / 1000));
  // Half a second away, half a second there.
  for (let round = 0; round < rounds; round++) {
    await atRate(some, 500 / some.length, ({ number }) => store.remove([number]), signal);
    const last = round === rounds - 1 ? follower.has(nodes) : undefined;
    await atRate(some, 500 / some.length, (node: NodeState) => store.put([node]), signal);
    await last;
  }
  const usage = await follower.reader.usage();
  const milliseconds = monotonic() - begin.at;
  addRow(measuring, `${name}: load of the reader`, {
    value: ((usage.cpu - begin.usage.cpu) / milliseconds) * 100,
    unit: '% of a processor',
  });
  addRow(measuring, `${name}: snapshots`, {
    value: ((follower.snapshots - begin.snapshots) / milliseconds) * 1000,
    unit: 'a second',
  });
}

async function rest({ measuring, store, nodes }: Case, follower: Follower): Promise<void> {
  const { times, signal } = measuring;
  const { reader } = follower;
  const name = `${store.name}, ${nodesText(nodes)}`;
  /** How many requests it makes. */
  const asks = async (what: string, run: () => Promise<void>): Promise<number> => {
    const before = store.relay?.traffic;
    await run();
    if (before === undefined || store.relay === undefined) return 0;
    const { requests, up, down } = trafficBetween(before, store.relay.traffic);
    addRow(measuring, `${name}: ${what}, requests`, { value: requests, unit: 'requests' });
    addRow(measuring, `${name}: ${what}, received`, { value: down / kilo, unit: 'kB' });
    addRow(measuring, `${name}: ${what}, sent`, { value: up / kilo, unit: 'kB' });
    return requests;
  };
  measuring.progress(`${name}: a lease is taken, and renewed`);
  await asks('a lease is taken', () => reader.acquire());
  const renewal = await asks('a lease is renewed', () => reader.renew());
  measuring.progress(`${name}: at rest for ${Math.round(times.rest / 1000)} s`);
  const stop = store.beginHeartbeats(nodes);
  const begin = {
    usage: await reader.usage(),
    traffic: store.relay?.traffic,
    reads: processReads(reader.pid),
    snapshots: follower.snapshots,
    at: monotonic(),
  };
  await sleep(times.rest, undefined, { signal });
  stop();
  const seconds = (monotonic() - begin.at) / 1000;
  const usage = await reader.usage();
  addRow(measuring, `${name}: at rest, load of the reader`, {
    value: ((usage.cpu - begin.usage.cpu) / (seconds * 1000)) * 100,
    unit: '% of a processor',
  });
  addRow(measuring, `${name}: at rest, snapshots`, {
    value: (follower.snapshots - begin.snapshots) / seconds,
    unit: 'a second',
  });
  if (begin.traffic !== undefined && store.relay !== undefined) {
    const { requests, up, down } = trafficBetween(begin.traffic, store.relay.traffic);
    addRow(measuring, `${name}: at rest, requests`, { value: requests / seconds, unit: 'a second' });
    addRow(measuring, `${name}: at rest, received`, { value: down / seconds / kilo, unit: 'kB a second' });
    addRow(measuring, `${name}: at rest, sent`, { value: up / seconds / kilo, unit: 'kB a second' });
    const all = clusterAtRest(store.name, { nodes, requests: requests / seconds, renewal });
    addRow(measuring, `${name}: all of them at rest, requests`, {
      value: all.ours,
      unit: 'a second',
      peer: { name: 'flannel, computed', value: all.flannel },
    });
    addRow(measuring, `${name}: all of them at rest, received`, {
      value: (down / seconds / 1e6) * nodes,
      unit: 'MB a second',
    });
  } else {
    const now = processReads(reader.pid);
    if (begin.reads === undefined || now === undefined) return;
    const calls = (now.calls - begin.reads.calls) / seconds;
    addRow(measuring, `${name}: at rest, reads of files`, { value: calls, unit: 'a second' });
  }
}

/** One after the other, so many milliseconds from the start of one to that of the next. */
async function atRate<Item>(
  items: readonly Item[],
  interval: number,
  run: (item: Item) => Promise<void>,
  signal: AbortSignal,
): Promise<{ readonly from: number }> {
  const from = monotonic();
  const indexed = items.map((item, i) => ({ item, at: from + i * interval }));
  await inLanes(indexed, 1, async ({ item, at }) => {
    signal.throwIfAborted();
    const wait = at - monotonic();
    if (wait > 1) await sleep(wait);
    await run(item);
  });
  return { from };
}
