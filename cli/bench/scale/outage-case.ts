// The store is away for a while and returns, and many nodes hear it: how often they ask meanwhile, how many at one moment when it is back,
// and until when all of them hear it again. Beside them what flannel's back-off makes of as many, computed.
import { setTimeout as sleep } from 'node:timers/promises';
import { flannelEtcdPolicy, type ReconnectPolicy, reconnects, reflectorPolicy, repeatable } from './paper.ts';
import { monotonic } from './scale-job.ts';
import { addRow, nodesText, type ScaleMeasuring } from './scale-measuring.ts';
import { firstNodes } from './scale-nodes.ts';
import { ScaleReader } from './scale-reader.ts';
import type { ScaleStore, ScaleStoreName } from './scale-store.ts';

/** Seconds at rest before the store goes away, that are drawn too. */
const restSeconds = 5;
/** What the nodes read is not what this is about. */
const leases = 50;
const tenth = 100;

const peers: Readonly<
  Partial<Record<ScaleStoreName, { readonly name: string; readonly policy: ReconnectPolicy }>>
> = {
  etcd: { name: 'flannel, computed', policy: flannelEtcdPolicy },
  kubernetes: { name: "flannel's client-go, computed", policy: reflectorPolicy },
};

/** The store must have been emptied. */
export async function outageCase(measuring: ScaleMeasuring, store: ScaleStore): Promise<void> {
  const { relay } = store;
  const { times, signal } = measuring;
  if (relay === undefined) return;
  const { crowd: clients } = times;
  const name = `${store.name}, ${nodesText(clients)}`;
  measuring.progress(`${name} lose it for ${Math.round(times.outage / 1000)} s`);
  await store.put(firstNodes(leases));
  /** When attempts were told of, and how many. */
  const attempts: { readonly at: number; readonly count: number }[] = [];
  let connected = 0;
  let allAt = Number.POSITIVE_INFINITY;
  const all = Promise.withResolvers<void>();
  await using reader = await ScaleReader.start({ kind: 'crowd', store: store.leases, clients }, (news) => {
    if (news.news === 'attempts') attempts.push(news);
    if (news.news !== 'crowd') return;
    connected = news.connected;
    if (connected === clients) {
      allAt = news.at;
      all.resolve();
    } else allAt = Number.POSITIVE_INFINITY;
  });
  reader.next(() => false, 10 * times.back + times.outage).catch(all.reject);
  await all.promise;
  await sleep(restSeconds * 1000, undefined, { signal });
  const wentAt = monotonic();
  await relay.goAway();
  await sleep(times.outage, undefined, { signal });
  const before = relay.traffic;
  await relay.comeBack();
  const cameAt = monotonic();
  let burst = 0;
  let last = before;
  const deadline = cameAt + times.back;
  // `connected` may be what it was: who has not noticed yet is looked at by when it was told last.
  while (monotonic() < deadline && !(connected === clients && allAt > cameAt)) {
    await sleep(tenth, undefined, { signal });
    const now = relay.traffic;
    burst = Math.max(burst, now.requests - last.requests);
    last = now;
  }
  const isBack = connected === clients && allAt > cameAt;
  // The last word about attempts.
  await sleep(restSeconds * 1000, undefined, { signal });
  const peer = peers[store.name];
  const seconds = Math.ceil((times.outage + times.back) / 1000);
  const theirs =
    peer === undefined
      ? undefined
      : reconnects(peer.policy, { clients, outage: times.outage, seconds, random: repeatable() });
  const beside = (value: number | undefined) =>
    peer === undefined || value === undefined ? undefined : { name: peer.name, value };
  const awaySeconds = Math.floor(times.outage / 1000);
  const during = attempts.filter(({ at }) => at >= wentAt && at < cameAt);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  addRow(measuring, `${name}: attempts while it is away`, {
    value: sum(during.map(({ count }) => count)) / (times.outage / 1000),
    unit: 'a second',
    peer: beside(theirs && sum(theirs.attempts.slice(0, awaySeconds)) / awaySeconds),
  });
  addRow(measuring, `${name}: most requests in 0.1 s when it is back`, {
    value: burst,
    unit: 'requests',
    peer: beside(theirs?.burst),
  });
  addRow(measuring, `${name}: until ${isBack ? 'all' : `${connected} of them`} hear it again`, {
    value: isBack ? allAt - cameAt : times.back,
    unit: 'ms',
    peer: beside(theirs?.allBack),
  });
  const shown = restSeconds + seconds;
  const bySecond = Array.from({ length: shown }, () => 0);
  for (const { at, count } of attempts) {
    const second = Math.floor((at - wentAt) / 1000) + restSeconds;
    if (second >= 0 && second < shown) bySecond[second] = (bySecond[second] ?? 0) + count;
  }
  const common = { store: store.name, start: restSeconds } as const;
  measuring.outages.push({ ...common, name: 'Netloom', isComputed: false, attempts: bySecond });
  if (peer !== undefined && theirs !== undefined) {
    const before_ = Array.from({ length: restSeconds }, () => 0);
    measuring.outages.push({
      ...common,
      name: peer.name,
      isComputed: true,
      attempts: [...before_, ...theirs.attempts],
    });
  }
}
