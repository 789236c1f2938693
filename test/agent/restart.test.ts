// An agent that ends leaves the data path as it is; one that starts on it changes nothing and loses no packet. And what a
// cleanup takes away.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import {
  gatewayOf,
  nodeState,
  ping,
  run,
  TestCluster,
  type TestNode,
  until,
  untilStatus,
} from './cluster.ts';

let cluster: TestCluster;
afterEach(() => cluster.close());

function pair(): readonly [TestNode, TestNode] {
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error('Cannot find two nodes');
  return [first, second];
}

test.each(['nftables', 'iptables'])(
  'a restart with %s plans zero steps and loses no packet',
  async (masquerade) => {
    cluster = new TestCluster({ nodes: 2, settings: { masquerade } });
    const [first, second] = pair();
    await cluster.up();
    const before = nodeState(first);
    const flood = spawn('nsenter', [
      `--net=/run/netns/${first.place.name}`,
      ...`ping -i 0.01 -c 300 -n -q -I ${gatewayOf(first)} ${gatewayOf(second)}`.split(' '),
    ]);
    let printed = '';
    flood.stdout.on('data', (data: Buffer) => {
      printed += data.toString();
    });
    const ended = new Promise((resolve) => flood.once('exit', resolve));
    expect(await cluster.stop(first)).toBe(0);
    expect(nodeState(first)).toBe(before);
    expect(existsSync(join(first.directory, 'run', 'netloom.sock'))).toBe(false);
    cluster.start(first);
    const status = await untilStatus(first, ({ ready }) => ready);
    await ended;
    expect(status.steps).toEqual({});
    expect(nodeState(first)).toBe(before);
    expect(printed).toContain('300 packets transmitted, 300 received, 0% packet loss');
  },
);

test('what changed while the agent was away is collected at its start', async () => {
  cluster = new TestCluster({ nodes: 3 });
  const [first, second] = pair();
  const third = cluster.nodes[2];
  if (third === undefined) throw new Error('Cannot find the third node');
  await cluster.up();
  await cluster.stop(first);
  await cluster.stop(third);
  const gone = gatewayOf(third).replace(/\.1$/, '.0');
  for (const file of readdirSync(join(cluster.store, 'subnets'))) {
    if (file.startsWith(gone)) rmSync(join(cluster.store, 'subnets', file));
  }
  cluster.start(first);
  await cluster.ready(first, 1);
  expect(nodeState(first)).not.toContain(gone);
  expect(nodeState(first)).toContain(gatewayOf(second).replace(/\.1$/, '.0'));
});

test('a device that flannel made is taken over with its MAC, without losing it', async () => {
  cluster = new TestCluster({ nodes: 1 });
  const [only] = cluster.nodes;
  if (only === undefined) throw new Error('Cannot find the node');
  const { name } = only.place;
  run(
    `ip -n ${name} link add flannel.1 address 02:aa:bb:cc:dd:ee mtu 1450 type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning`,
  );
  const index = (): string => run(`ip -n ${name} -o link show dev flannel.1`).split(':')[0] ?? '';
  const before = index();
  await cluster.up();
  expect(index()).toBe(before);
  const status = await untilStatus(only, ({ ready }) => ready);
  expect(status.lease?.vtepMac).toBe('02:aa:bb:cc:dd:ee');
});

test.each([
  ['vxlan, both families', { Type: 'vxlan' }],
  ['DirectRouting, both families', { Type: 'vxlan', DirectRouting: true }],
  ['host-gw, both families', { Type: 'host-gw' }],
])('%s: pods of two nodes reach each other', async (_, Backend) => {
  cluster = new TestCluster({
    nodes: 2,
    config: { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:244::/48', Backend },
  });
  const [first, second] = pair();
  await cluster.up();
  const env = readFileSync(second.subnetFile, 'utf8');
  const gateway6 = /FLANNEL_IPV6_SUBNET=(.*)\//.exec(env)?.[1] ?? '';
  const own6 = /FLANNEL_IPV6_SUBNET=(.*)\//.exec(readFileSync(first.subnetFile, 'utf8'))?.[1] ?? '';
  await until(
    () => ping(first, gatewayOf(second)),
    () => 'no answer over IPv4',
  );
  await until(
    () =>
      run(`ip netns exec ${first.place.name} ping -6 -c 1 -W 1 -n -I ${own6} ${gateway6}`, {
        quiet: true,
      }).includes(' 0% packet loss'),
    () => `no answer over IPv6\n${nodeState(first)}`,
  );
  const before = nodeState(first);
  await cluster.stop(first);
  cluster.start(first);
  const status = await untilStatus(first, ({ ready }) => ready);
  expect(status.steps).toEqual({});
  expect(nodeState(first)).toBe(before);
});

test('the backend is changed for the whole cluster, there and back', async () => {
  cluster = new TestCluster({ nodes: 2 });
  const [first, second] = pair();
  await cluster.up();
  const before = nodeState(first);
  for (const Type of ['host-gw', 'vxlan']) {
    writeFileSync(
      join(cluster.store, 'config'),
      JSON.stringify({ Network: '10.244.0.0/16', Backend: { Type } }),
    );
    for (const node of [first, second]) {
      await untilStatus(
        node,
        ({ ready, network, peers }) => ready && network?.backend === Type && peers[0]?.programmed === true,
      );
    }
    await until(
      () => ping(first, gatewayOf(second)),
      () => `no answer with ${Type}`,
    );
  }
  await until(
    () => nodeState(first) === before,
    () => `${before}\n--- is now\n${nodeState(first)}`,
  );
});
