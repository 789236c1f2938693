// The backend and the MTU of a running cluster are changed, for all nodes at once and node by node, while two pods exchange packets: every
// packet is counted, and the figures are printed.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { type Pod, startPod } from '../mixed/pod.ts';
import { type Exchange, exchangeDuring } from '../mixed/traffic.ts';
import { gatewayOf, run, TestCluster, type TestNode, untilStatus } from './cluster.ts';

let cluster: TestCluster;
const pods: Pod[] = [];

afterEach(async () => {
  for (const pod of pods.splice(0)) pod[Symbol.dispose]();
  await cluster.close();
});

const network = '10.244.0.0/16';

async function start(backend: object): Promise<readonly [TestNode, TestNode]> {
  cluster = new TestCluster({ nodes: 2, config: { Network: network, Backend: backend } });
  await cluster.up();
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error('two nodes are wanted');
  for (const node of [first, second])
    pods.push(startPod({ node, subnet: gatewayOf(node).replace(/\.1$/, '.0/24'), mtu: mtuOf(node) }));
  return [first, second];
}

function mtuOf({ subnetFile }: TestNode): number {
  return Number(/FLANNEL_MTU=(\d+)/.exec(readFileSync(subnetFile, 'utf8'))?.[1]);
}

function podPair(): readonly [Pod, Pod] {
  const [near, far] = pods;
  if (near === undefined || far === undefined) throw new Error('two pods are wanted');
  return [near, far];
}

/** Until the node runs the backend, and takes this way to the other. */
async function follows(node: TestNode, backend: string, path: string): Promise<void> {
  await untilStatus(
    node,
    ({ ready, lease, peers }) =>
      ready && lease?.backend === backend && peers[0]?.path === path && peers[0].programmed,
  );
}

/** What was lost, for whoever reads the run. */
async function unharmed(what: string, during: () => Promise<void>): Promise<Exchange> {
  const exchange = await exchangeDuring(podPair(), during, 1000);
  const text = [exchange.there, exchange.back].map(
    ({ sent, lost, tcpBytes, tcpProblem }) =>
      `${lost} of ${sent} lost, ${tcpBytes} bytes of TCP${tcpProblem}`,
  );
  process.stdout.write(`${what}: there ${text[0]}; back ${text[1]}\n`);
  for (const direction of [exchange.there, exchange.back])
    expect(direction).toMatchObject({ lost: 0, twice: 0, tcpProblem: '' });
  return exchange;
}

function has({ place: { name } }: TestNode, link: string): boolean {
  return run(`ip -n ${name} link show ${link}`, { quiet: true }) !== '';
}

test('for all nodes at once, from vxlan to host-gw and back', async () => {
  const nodes = await start({ Type: 'vxlan' });
  const change = async (Type: string, path: string): Promise<void> => {
    cluster.writeConfig({ Network: network, Backend: { Type } });
    for (const node of nodes) await follows(node, Type, path);
    await delay(500);
  };
  await unharmed('all at once, vxlan to host-gw', () => change('host-gw', 'direct'));
  expect(nodes.map(mtuOf)).toEqual([1500, 1500]);
  // What a peer sent before it had heard of the change was received: the device is there for a while.
  expect(nodes.map((node) => has(node, 'flannel.1'))).toEqual([true, true]);
  await unharmed('all at once, host-gw to vxlan', () => change('vxlan', 'vxlan'));
  expect(nodes.map(mtuOf)).toEqual([1450, 1450]);
});

test.each([
  ['vxlan', 'host-gw', 'vxlan', 'direct'],
  ['host-gw', 'vxlan', 'direct', 'vxlan'],
])('node by node, from %s to %s', async (from, to, before, after) => {
  const [first, second] = await start({ Type: from });
  await follows(first, from, before);
  const restart = async (node: TestNode, flags: readonly string[]): Promise<void> => {
    await cluster.stop(node);
    cluster.start(node, flags);
  };
  await unharmed(`node by node, ${from} to ${to}`, async () => {
    await restart(first, [`--backend=${to}`]);
    await follows(first, to, 'direct');
    await follows(second, from, 'direct');
    // As long as somebody likes: half of the cluster is of the one, half of the other.
    await delay(500);
    await restart(second, [`--backend=${to}`]);
    for (const node of [first, second]) await follows(node, to, after);
    // What they have each for themselves becomes the network's.
    cluster.writeConfig({ Network: network, Backend: { Type: to } });
    for (const node of [first, second]) {
      await restart(node, []);
      await follows(node, to, after);
    }
    await delay(500);
  });
});

test('the MTU: running pods keep theirs and are told what the way carries', async () => {
  const nodes = await start({ Type: 'vxlan' });
  const [near, far] = podPair();
  await unharmed('another MTU', async () => {
    cluster.writeConfig({ Network: network, Backend: { Type: 'vxlan', MTU: 1300 } });
    for (const node of nodes) await untilStatus(node, ({ ready, mtu }) => ready && mtu === 1250);
    await delay(500);
  });
  expect(nodes.map(mtuOf)).toEqual([1250, 1250]);
  expect(run(`ip -n ${near.place.name} link show eth0`)).toContain('mtu 1450');
  const ping = (options: string): string =>
    run(`ip netns exec ${near.place.name} ping -n -W 1 ${options} ${far.address}`, { quiet: true });
  // One packet as large as the pod's own MTU is refused by the node, with the size that goes; after that they go in pieces.
  run(`ip netns exec ${near.place.name} ping -n -c 1 -W 1 -M do -s 1422 ${far.address}`, { quiet: true });
  expect(run(`ip -n ${near.place.name} route get ${far.address}`)).toContain('mtu 1250');
  expect(ping('-c 3 -i 0.2 -s 1422')).toContain('3 received');
  expect(ping('-c 1 -M do -s 1222')).toContain('1 received');
});
