// The stores' benchmark with few nodes and short times: its readers, its servers and its relay do what its figures need.
import { afterEach, expect, test } from '@jest/globals';
import { openDirectoryScaleStore } from '../../cli/bench/scale/directory-scale-store.ts';
import { openEtcdScaleStore } from '../../cli/bench/scale/etcd-scale-store.ts';
import { openKubernetesScaleStore } from '../../cli/bench/scale/kubernetes-scale-store.ts';
import { burstCase, startCase } from '../../cli/bench/scale/lease-cases.ts';
import { outageCase } from '../../cli/bench/scale/outage-case.ts';
import type { ScaleMeasuring } from '../../cli/bench/scale/scale-measuring.ts';
import type { ScaleStore } from '../../cli/bench/scale/scale-store.ts';
import { serviceCases } from '../../cli/bench/scale/service-cases.ts';
import { refuseRoot } from '../sandbox.ts';
import { etcdFault } from './etcd-cluster.ts';

refuseRoot();

const stores: Readonly<Record<string, () => ScaleStore | Promise<ScaleStore>>> = {
  directory: openDirectoryScaleStore,
  etcd: openEtcdScaleStore,
  kubernetes: openKubernetesScaleStore,
};

let store: ScaleStore | undefined;

afterEach(async () => {
  await store?.[Symbol.asyncDispose]();
  store = undefined;
});

function shortMeasuring(): ScaleMeasuring {
  return {
    runs: 1,
    signal: new AbortController().signal,
    progress: () => {},
    times: { rest: 100, churn: 200, outage: 1500, back: 20_000, crowd: 4, samples: 3 },
    rows: [],
    points: [],
    outages: [],
  };
}

const figure = ({ rows }: ScaleMeasuring, name: string) => rows.find((row) => row.case === name)?.ours;

const fault = etcdFault();
if (fault !== undefined) test.skip(`etcd: ${fault}`, () => undefined);
const names = Object.keys(stores).filter((name) => name !== 'etcd' || fault === undefined);

test.each(names)('%s: nodes join, a reader starts, services load and change', async (name) => {
  const measuring = shortMeasuring();
  store = await stores[name]?.();
  if (store === undefined) throw new Error(`There is no store "${name}"`);
  await burstCase({ measuring, store, nodes: 20 });
  await startCase({ measuring, store, nodes: 20 });
  const amount = { services: 12, endpoints: 3 };
  await serviceCases(measuring, { store, amount });
  expect(figure(measuring, `${name}, 20 nodes: first snapshot`)).toBeGreaterThan(0);
  expect(figure(measuring, `${name}, 20 nodes: memory of the reader`)).toBeGreaterThan(10);
  expect(figure(measuring, `${name}, 12 x 3 services: full load, to the proxy's ports`)).toBeGreaterThan(0);
  expect(measuring.points).toHaveLength(2);
  if (store.relay === undefined) return;
  expect(figure(measuring, `${name}, 20 nodes: first snapshot, requests`)).toBeGreaterThan(1);
  expect(figure(measuring, `${name}, 20 nodes: first snapshot, received`)).toBeGreaterThan(1);
});

test('nodes lose their store, and all of them are back', async () => {
  const measuring = shortMeasuring();
  store = await openKubernetesScaleStore();
  await outageCase(measuring, store);
  const [ours, peer] = measuring.outages;
  const sum = (values: readonly number[] = []) => values.reduce((total, value) => total + value, 0);
  expect(sum(ours?.attempts)).toBeGreaterThanOrEqual(8);
  expect(peer?.isComputed).toBe(true);
  expect(measuring.rows.map((row) => row.case)).toContain('kubernetes, 4 nodes: until all hear it again');
});
