// A whole agent behind a store of leases: the real loop, which programs a namespace of its own. Until it has programmed all, and what one
// lease costs from the store to the kernel.
import { setTimeout as sleep } from 'node:timers/promises';
import { openRouteDriver } from '../../../kernel/route/driver.ts';
import { openAgentDirectory } from '../bench-agent.ts';
import { openBenchNetns } from '../bench-netns.ts';
import { makeUnderlay } from '../vxlan-peers.ts';
import { monotonic, type ScaleNews } from './scale-job.ts';
import { addRow, addSamples, inMebibytes, nodesText, type ScaleMeasuring } from './scale-measuring.ts';
import { firstNodes } from './scale-nodes.ts';
import { ScaleReader } from './scale-reader.ts';
import type { ScaleStore } from './scale-store.ts';

/** Milliseconds: more than the agent's least interval, so that a pass is of one event. */
const apart = 150;
const mostSamples = 30;

/** The store must have that many nodes; it has them afterwards too. */
export async function agentCases(
  measuring: ScaleMeasuring,
  { store, nodes }: { readonly store: ScaleStore; readonly nodes: number },
): Promise<void> {
  const { signal, times } = measuring;
  const name = `${store.name}, ${nodesText(nodes)}, whole agent`;
  measuring.progress(name);
  await using home = openBenchNetns();
  using directory = openAgentDirectory();
  const driver = openRouteDriver({ netns: home.netns });
  makeUnderlay(driver);
  driver.close();
  const isProgrammed =
    (peers: number) =>
    (news: ScaleNews): boolean =>
      news.news === 'pass' && news.ready && news.peers === peers;
  const programmed = Promise.withResolvers<number>();
  await using reader = await ScaleReader.start(
    { kind: 'agent', store: store.leases, netns: home.netns.path, directory: directory.path },
    (news) => {
      if (isProgrammed(nodes)(news)) programmed.resolve(news.at);
    },
  );
  const ended = reader.next(isProgrammed(nodes));
  ended.catch(programmed.reject);
  const at = await programmed.promise;
  const start = await reader.usage();
  addRow(measuring, `${name}: from its start until all are programmed`, {
    value: at - reader.beganAt,
    unit: 'ms',
  });
  addRow(measuring, `${name}: processor time until then, with loading`, { value: start.cpu, unit: 'ms' });

  const samples: number[] = [];
  for (let sample = 0; sample < Math.min(mostSamples, times.samples); sample++) {
    signal.throwIfAborted();
    await sleep(apart);
    const done = reader.next((news) => news.news === 'pass' && news.ready && news.steps > 0);
    const from = monotonic();
    await store.put([{ number: sample % nodes, generation: sample + 1 }]);
    samples.push((await done).at - from);
  }
  addSamples(measuring, `${name}: one lease changes, write to kernel`, samples);

  const half = firstNodes(Math.floor(nodes / 2));
  await sleep(apart);
  measuring.progress(`${name}: half of them go and come back`);
  const gone = reader.next(isProgrammed(nodes - half.length));
  const goneFrom = monotonic();
  await store.remove(half.map(({ number }) => number));
  addRow(measuring, `${name}: half of them leave at once`, {
    value: (await gone).at - goneFrom,
    unit: 'ms',
  });
  const back = reader.next(isProgrammed(nodes));
  const backFrom = monotonic();
  await store.put(half);
  addRow(measuring, `${name}: and join at once, until programmed`, {
    value: (await back).at - backFrom,
    unit: 'ms',
  });

  measuring.progress(`${name}: at rest`);
  await sleep(1000);
  const stop = store.beginHeartbeats(nodes);
  const before = await reader.usage();
  const restFrom = monotonic();
  await sleep(Math.min(times.rest, times.churn * 2), undefined, { signal });
  stop();
  const usage = await reader.usage();
  addRow(measuring, `${name}: at rest, load`, {
    value: ((usage.cpu - before.cpu) / (monotonic() - restFrom)) * 100,
    unit: '% of a processor',
  });
  addRow(measuring, `${name}: memory`, { value: inMebibytes(usage.resident), unit: 'MB' });
  addRow(measuring, `${name}: peak of memory`, { value: inMebibytes(usage.peak), unit: 'MB' });
}
