// A cleanup takes away all that the agent made on a node, and nothing that others did.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { runCleanup } from '../../agent/run-cleanup.ts';
import { agentSettings } from '../../agent/settings.ts';
import { resolveSettings } from '../../runtime/settings/resolve-settings.ts';
import { run, TestCluster, type TestNode } from './cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

function cleanupOf(node: TestNode, dryRun: boolean, flags: Readonly<Record<string, string>> = {}) {
  const { settings } = resolveSettings(agentSettings, {
    flags: {
      ...flags,
      nodeName: node.name,
      storeDirectory: cluster.store,
      runDirectory: join(node.directory, 'run'),
      stateDirectory: join(node.directory, 'state'),
    },
  });
  return runCleanup(settings, { dryRun, signal: new AbortController().signal, netns: node.place.netns });
}

/** All of a namespace, without what differs from moment to moment. */
function everything({ place: { name } }: TestNode): string {
  return [
    run(`ip -n ${name} -o link show`),
    run(`ip -n ${name} -4 -o address show`),
    run(`ip -n ${name} -4 route show table all`),
    run(`ip -n ${name} rule show`),
    run(`ip netns exec ${name} nft list ruleset`).replace(/counter packets \d+ bytes \d+/g, 'counter'),
  ].join('\n');
}

test.each(['nftables', 'iptables'])('with %s', async (masquerade) => {
  cluster = new TestCluster({ nodes: 2, settings: { masquerade } });
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error('Cannot find two nodes');
  const { name } = first.place;
  run(`ip -n ${name} link add flannel.9 type vxlan id 9 dstport 8472 local 192.0.2.1 dev eth0`);
  run(`ip -n ${name} route add 198.51.100.0/24 via 192.0.2.9 proto static`);
  run(`ip netns exec ${name} nft add table ip theirs`);
  // Tables and built-in chains of iptables stay, whoever made them: they are there from the start here.
  if (masquerade === 'iptables') {
    for (const program of ['iptables', 'ip6tables']) {
      for (const table of ['nat -A POSTROUTING', 'filter -A FORWARD']) {
        run(`ip netns exec ${name} ${program} -t ${table} -m comment --comment theirs`);
      }
    }
  }
  const before = everything(first);
  await cluster.up();
  await expect(cleanupOf(first, false)).rejects.toThrow('stop it first');
  await cluster.stop(first);
  const made = everything(first);
  const plan = await cleanupOf(first, true);
  expect(everything(first)).toBe(made);
  const report = await cleanupOf(first, false);
  expect({ ...report, done: [...report.done].sort() }).toEqual({ ...plan, done: [...plan.done].sort() });
  expect(report).toMatchObject({ left: [], failed: [] });
  expect(everything(first)).toBe(before);
  expect(existsSync(first.subnetFile)).toBe(false);
  expect(existsSync(join(first.directory, 'state'))).toBe(false);
  expect(existsSync(join(first.directory, 'run'))).toBe(false);
  expect(readdirSync(join(cluster.store, 'subnets')).filter((file) => file.endsWith('.json'))).toHaveLength(
    1,
  );
  expect((await cleanupOf(first, false)).done).toEqual([]);
});

test('a file that somebody changed is left, and said so', async () => {
  cluster = new TestCluster({ nodes: 1 });
  const [only] = cluster.nodes;
  if (only === undefined) throw new Error('Cannot find the node');
  await cluster.up();
  await cluster.stop(only);
  writeFileSync(only.subnetFile, 'FLANNEL_MTU=9000\n');
  const { left } = await cleanupOf(only, false);
  expect(left).toEqual([`${only.subnetFile}: it was changed since Netloom wrote it`]);
  expect(existsSync(only.subnetFile)).toBe(true);
});

test('a store that cannot be opened keeps the lease; the node is cleaned, and it is said', async () => {
  cluster = new TestCluster({ nodes: 1 });
  const [only] = cluster.nodes;
  if (only === undefined) throw new Error('Cannot find the node');
  const before = everything(only);
  await cluster.up();
  await cluster.stop(only);
  const etcd = { etcdEndpoints: 'https://127.0.0.1:1', etcdCafile: '/nowhere/ca.crt' };
  const report = await cleanupOf(only, false, etcd);
  expect(report.failed).toEqual([
    'release lease: it stays in the store; Cannot read the CA certificates of etcd from "/nowhere/ca.crt": ENOENT',
  ]);
  expect(everything(only)).toBe(before);
  expect(existsSync(join(only.directory, 'state'))).toBe(false);
});
