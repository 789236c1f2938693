import { expect, test } from '@jest/globals';
import {
  clusterAtRest,
  flannelEtcdPolicy,
  flannelEtcdRest,
  flannelEtcdStart,
  nodeInformerRest,
  reconnects,
  reflectorPolicy,
  repeatable,
} from './paper.ts';

test('flannel asks for each lease when it starts, and every renewal goes to every node', () => {
  expect(flannelEtcdStart(5000)).toBe(5005);
  const { requests, events } = flannelEtcdRest(5000);
  expect(requests).toBeCloseTo(0.12, 2);
  expect(events).toBeCloseTo(302, 0);
});

test('every status of every kubelet goes to every node', () => {
  const { requests, events } = nodeInformerRest(5000);
  expect(requests).toBeCloseTo(11.1, 1);
  expect(Math.round(events)).toBe(83_333);
});

test('a cluster at rest asks what its nodes ask, and for watches that end', () => {
  const node = { nodes: 5000, requests: 0, renewal: 2 };
  expect(clusterAtRest('etcd', node).ours).toBeCloseTo(3.17, 2);
  expect(clusterAtRest('etcd', node).flannel).toBeCloseTo(0.12, 2);
  expect(clusterAtRest('kubernetes', { ...node, renewal: 1 }).ours).toBeCloseTo(12.7, 1);
});

test('clients without jitter come back at one moment', () => {
  const { attempts, burst, allBack } = reconnects(flannelEtcdPolicy, {
    clients: 200,
    outage: 30_000,
    seconds: 60,
    random: repeatable(),
  });
  expect(burst).toBe(200);
  expect(allBack).toBeLessThan(5000);
  expect(attempts).toHaveLength(60);
  // 0, 0.1, 0.3 and 0.7 s.
  expect(attempts[0]).toBe(800);
});

test('clients with jitter come back one by one', () => {
  const { burst, allBack } = reconnects(reflectorPolicy, {
    clients: 200,
    outage: 30_000,
    seconds: 120,
    random: repeatable(),
  });
  expect(burst).toBeLessThan(20);
  expect(allBack).toBeGreaterThan(5000);
  expect(allBack).toBeLessThan(60_000);
});
