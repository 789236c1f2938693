// What other nodes, operators and the machine can do wrong: said by name, contained, and mended when the cause is.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  gatewayOf,
  logOf,
  nodeState,
  ping,
  run,
  statusOf,
  TestCluster,
  type TestNode,
  until,
  untilStatus,
} from './cluster.ts';

let cluster: TestCluster;

function pair(): readonly [TestNode, TestNode] {
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error('Cannot find two nodes');
  return [first, second];
}

function writeLease(name: string, value: string | object): void {
  mkdirSync(join(cluster.store, 'subnets'), { recursive: true });
  writeFileSync(
    join(cluster.store, 'subnets', `${name}.json`),
    typeof value === 'string' ? value : JSON.stringify(value),
  );
}

const good = {
  PublicIP: '192.0.2.77',
  PublicIPv6: null,
  BackendType: 'vxlan',
  BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:77' },
};

describe('a lease that is wrong is left out and reported; the others are programmed', () => {
  beforeAll(async () => {
    cluster = new TestCluster({ nodes: 2 });
    await cluster.up();
  });
  afterAll(() => cluster.close());

  test.each<readonly [string, string, string | object]>([
    ['half written', '10.244.77.0-24', '{"PublicIP":"192.0.2.77","BackendTy'],
    ['outside of the network', '10.9.77.0-24', good],
    ['all of the network', '10.244.0.0-16', good],
    ['a bad MAC', '10.244.77.0-24', { ...good, BackendData: { VNI: 1, VtepMAC: 'zz:00:00:00:00:77' } }],
    ['a multicast MAC', '10.244.77.0-24', { ...good, BackendData: { VNI: 1, VtepMAC: '01:00:5e:00:00:01' } }],
    ['a bad address', '10.244.77.0-24', { ...good, PublicIP: '192.0.2.777' }],
    ['loopback as its address', '10.244.77.0-24', { ...good, PublicIP: '127.0.0.1' }],
    ["another node's address", '10.244.77.0-24', { ...good, PublicIP: '192.0.2.2' }],
    ["this node's address", '10.244.77.0-24', { ...good, PublicIP: '192.0.2.1' }],
    [
      'another backend, where plain routes do not lead',
      '10.244.77.0-24',
      { ...good, PublicIP: '203.0.113.77', BackendType: 'host-gw', BackendData: null },
    ],
    ['another VNI', '10.244.77.0-24', { ...good, BackendData: { VNI: 2, VtepMAC: '02:00:00:00:00:77' } }],
    ['a command for a shell', '10.244.77.0-24', { ...good, BackendType: '$(reboot)' }],
  ])('%s', async (_, name, value) => {
    const [first, second] = pair();
    const before = nodeState(first);
    writeLease(name, value);
    const status = await untilStatus(first, ({ problems }) => problems.length > 0);
    expect(status.problems.length).toBeGreaterThan(0);
    expect(nodeState(first)).toBe(before);
    expect(ping(first, gatewayOf(second))).toBe(true);
    rmSync(join(cluster.store, 'subnets', `${name}.json`));
    await untilStatus(first, ({ problems, ready }) => problems.length === 0 && ready);
  });
});

describe('a cluster of its own for each', () => {
  afterEach(() => cluster.close());

  test('two nodes with one public address: the first goes on, the second says why it does not', async () => {
    cluster = new TestCluster({ nodes: 2 });
    const [first, second] = pair();
    cluster.start(first);
    await cluster.ready(first, 0);
    cluster.start(second, ['--public-ip=192.0.2.1', '--iface=eth0']);
    const status = await untilStatus(second, ({ blockers }) => blockers.join().includes('192.0.2.1'));
    expect(status.ready).toBe(false);
    await cluster.ready(first, 0);
  });

  test('two machines with one node name: the first says whose the lease is now, and is not ready', async () => {
    cluster = new TestCluster({ nodes: 2 });
    const [first, second] = pair();
    cluster.start(first);
    await cluster.ready(first, 0);
    cluster.start(second, [`--node-name=${first.name}`]);
    const status = await untilStatus(first, ({ blockers }) => blockers.join().includes('another machine'));
    expect(status.ready).toBe(false);
    expect(status.blockers.join()).toContain(`calls itself "${first.name}" too`);
    await cluster.stop(second);
    await cluster.stop(first);
    cluster.start(first);
    await cluster.ready(first, 0);
  });

  test('a full range: not ready with the reason, ready when a subnet is freed', async () => {
    cluster = new TestCluster({
      nodes: 2,
      config: {
        Network: '10.244.0.0/16',
        SubnetMin: '10.244.5.0',
        SubnetMax: '10.244.5.0',
        Backend: { Type: 'vxlan' },
      },
    });
    const [first, second] = pair();
    cluster.start(first);
    await cluster.ready(first, 0);
    cluster.start(second);
    const full = await untilStatus(second, ({ blockers }) => /no free|full|taken/i.test(blockers.join()));
    expect(full.ready).toBe(false);
    expect(full.lease).toBeNull();
    await cluster.stop(first);
    for (const file of readdirSync(join(cluster.store, 'subnets'))) {
      rmSync(join(cluster.store, 'subnets', file), { recursive: true });
    }
    const freed = await untilStatus(second, ({ ready }) => ready);
    expect(freed.lease?.subnet?.toString()).toBe('10.244.5.0/24');
  });

  test('an underlay that is not there yet: not ready, and ready when it comes', async () => {
    cluster = new TestCluster({ nodes: 2 });
    const [first, second] = pair();
    run(`ip -n ${first.place.name} link del eth0`);
    cluster.start(second);
    cluster.start(first);
    const status = await untilStatus(first, ({ blockers }) => blockers.join().includes('"iface"'));
    expect(status.ready).toBe(false);
    cluster.wire(first);
    await cluster.ready(first, 1);
    await cluster.ready(second, 1);
    expect(ping(first, gatewayOf(second))).toBe(true);
  });

  test('a link of our name that is no bridge is not taken away, and said by name', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const [only] = cluster.nodes;
    if (only === undefined) throw new Error('Cannot find the node');
    run(`ip -n ${only.place.name} link add cni0 type veth peer name other`);
    cluster.start(only);
    const status = await untilStatus(only, ({ blockers }) => blockers.join().includes('cni0'));
    expect(status.ready).toBe(false);
    expect(run(`ip -n ${only.place.name} -d link show dev cni0`)).toContain('veth');
    run(`ip -n ${only.place.name} link del cni0`);
    await cluster.ready(only, 0);
  });

  test("the tunnel's name is another link's: that stays as it is, and the peers are not programmed", async () => {
    cluster = new TestCluster({ nodes: 2 });
    const [first, second] = pair();
    const ip = `ip -n ${first.place.name}`;
    run(`${ip} link add flannel.1 type veth peer name other`);
    run(`${ip} link set flannel.1 up`);
    const others = (): string =>
      run(`${ip} -o address show dev flannel.1`) + run(`${ip} -d link show flannel.1`);
    const before = others();
    cluster.start(first);
    cluster.start(second);
    const status = await untilStatus(first, ({ peers }) => peers.length === 1);
    expect(status.blockers.join()).toContain('Cannot make link "flannel.1": a link of kind "veth"');
    expect(status.peers[0]?.programmed).toBe(false);
    expect(others()).toBe(before);
    run(`${ip} link del flannel.1`);
    await cluster.ready(first, 1);
    expect(ping(first, gatewayOf(second))).toBe(true);
  });

  test('asked to stop while it starts, it stops: whenever that is', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const [only] = cluster.nodes;
    if (only === undefined) throw new Error('Cannot find the node');
    for (const wait of [120, 180, 240, 300]) {
      cluster.start(only);
      await new Promise((resolve) => setTimeout(resolve, wait));
      const { agent } = only;
      const ended = new Promise((resolve) => agent?.once('exit', () => resolve('ended')));
      await cluster.stop(only);
      expect(await ended).toBe('ended');
    }
  });

  test('without CAP_NET_ADMIN the error names the capability', async () => {
    cluster = new TestCluster({ nodes: 1 });
    const [only] = cluster.nodes;
    if (only === undefined) throw new Error('Cannot find the node');
    cluster.start(only, [], ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']);
    await until(
      () => logOf(only).includes('CAP_NET_ADMIN'),
      () => logOf(only),
    );
  });

  test('a lease that is lost is taken again, and the others follow', async () => {
    cluster = new TestCluster({ nodes: 2 });
    const [first, second] = pair();
    await cluster.up();
    const subnet = (await statusOf(first))?.lease?.subnet?.toString();
    const name = `${gatewayOf(first).replace(/\.1$/, '.0')}-24.json`;
    rmSync(join(cluster.store, 'subnets', name), { recursive: true });
    await until(
      () => readdirSync(join(cluster.store, 'subnets')).includes(name),
      () => logOf(first),
    );
    await cluster.ready(first, 1);
    await cluster.ready(second, 1);
    expect((await statusOf(first))?.lease?.subnet?.toString()).toBe(subnet);
    expect(ping(first, gatewayOf(second))).toBe(true);
  });
});
