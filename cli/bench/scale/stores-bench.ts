// `netloom bench stores`: what a cluster of many nodes and services costs one node, and what all of its nodes ask of the store: leases in a
// directory, in etcd, on Node objects; services likewise. The readers are the real ones, in processes of their own.
import { errorMessage } from '../../../runtime/error-text.ts';
import type { Bench, BenchRow } from '../bench.ts';
import { agentCases } from './agent-cases.ts';
import { openDirectoryScaleStore } from './directory-scale-store.ts';
import { openEtcdScaleStore } from './etcd-scale-store.ts';
import { etcdFault } from './etcd-server.ts';
import { openKubernetesScaleStore } from './kubernetes-scale-store.ts';
import { burstCase, changeCases, startCase } from './lease-cases.ts';
import { outageCase } from './outage-case.ts';
import { outagePlot } from './outage-plot.ts';
import type { OutageSeries, ScaleMeasuring, ScalePoint, ScaleTimes } from './scale-measuring.ts';
import { usualTimes } from './scale-measuring.ts';
import { firstNodes, mostNodes } from './scale-nodes.ts';
import { scalePlot } from './scale-plot.ts';
import type { ScaleStore } from './scale-store.ts';
import { serviceCases } from './service-cases.ts';

const usualSize = 5000;
/** Services to a node. */
const servicesPerNode = 10;
const endpoints = 3;
/** Parts of the size that are measured too, for the plot. */
const parts = [0.1, 0.4];

export const storesBench: Bench = createStoresBench(usualTimes);

export function createStoresBench(times: ScaleTimes): Bench {
  return {
    name: 'stores',
    summary: `SIZE nodes and ${servicesPerNode} x SIZE services in each store: a node's cost, the store's load, an outage`,
    size: usualSize,
    hasPlot: true,
    async run(options) {
      const { size, progress } = options;
      if (size > mostNodes)
        throw new RangeError(`Cannot make ${size} nodes: at most ${mostNodes} fit into the network`);
      const rows: BenchRow[] = [];
      const points: ScalePoint[] = [];
      const outages: OutageSeries[] = [];
      // A quick look is quick in time as well.
      const share = size < usualSize ? Math.max(0.2, size / usualSize) : 1;
      const measuring: SizedMeasuring = {
        ...options,
        rows,
        points,
        outages,
        times: {
          ...times,
          rest: times.rest * share,
          churn: times.churn * share,
        },
      };
      await withStore(measuring, openDirectoryScaleStore);
      const fault = await etcdFault();
      if (fault === undefined) await withStore(measuring, openEtcdScaleStore);
      else progress(`etcd is not measured: ${fault}`);
      await withStore(measuring, openKubernetesScaleStore);
      if (points.length === 0) throw new Error('Nothing could be measured: see above');
      options.onPlot?.(scalePlot(points, { note: options.note }));
      if (outages.length > 0) options.onPlot?.(outagePlot(outages, { note: options.note }), 'outage');
      return rows;
    },
  };
}

type SizedMeasuring = ScaleMeasuring & { readonly size: number };

async function withStore(
  measuring: SizedMeasuring,
  open: () => ScaleStore | Promise<ScaleStore>,
): Promise<void> {
  const { size: nodes } = measuring;
  const sizes = [...new Set(parts.map((part) => Math.floor(nodes * part)))].filter((size) => size > 0);
  const numbers = (count: number) => firstNodes(count).map(({ number }) => number);
  let there = 0;
  const have = async (store: ScaleStore, count: number): Promise<void> => {
    if (count > there) await store.put(firstNodes(count).slice(there));
    else await store.remove(numbers(there).slice(count));
    there = count;
  };
  // Leases and services are those of different clusters: neither pays for what the other leaves behind.
  await each(measuring, async () => {
    await using store = await open();
    for (const size of sizes) {
      await have(store, size);
      await each(measuring, () => startCase({ measuring, store, nodes: size }));
    }
    await have(store, 0);
    await each(measuring, () => burstCase({ measuring, store, nodes }));
    there = nodes;
    for (const run of [startCase, changeCases]) await each(measuring, () => run({ measuring, store, nodes }));
    await each(measuring, () => agentCases(measuring, { store, nodes }));
  });
  there = 0;
  await each(measuring, async () => {
    await using store = await open();
    await outageCase(measuring, store);
  });
  await each(measuring, async () => {
    await using store = await open();
    const amount = { services: nodes * servicesPerNode, endpoints };
    await serviceCases(measuring, { store, amount });
  });
}

/** What cannot be measured is said, and the rest goes on: minutes of other figures are not to be lost. */
async function each(
  { progress, signal }: Pick<ScaleMeasuring, 'progress' | 'signal'>,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    signal.throwIfAborted();
    progress(`not measured: ${errorMessage(error)}`);
  }
}
