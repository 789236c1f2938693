// One cluster of a Netloom node and a flannel node: they exchange leases through etcd and through annotations, and their pods reach each
// other over VXLAN and host-gw. flannel is flanneld where it is on PATH, else a node with its exact records and kernel objects.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { run, type TestNode, until, untilStatus } from '../agent/cluster.ts';
import { etcdPrefix, flannelAnnotations, flannelValue, vxlanData } from './flannel-store.ts';
import { MixedCluster, othersAnnotations, type StoreKind, storeFault } from './mixed-cluster.ts';
import { type Pod, startPod } from './pod.ts';
import { flannelName } from './real-flannel.ts';
import { exchangeDuring } from './traffic.ts';

let mixed: MixedCluster | undefined;
const pods: Pod[] = [];

afterEach(async () => {
  for (const pod of pods.splice(0)) pod[Symbol.dispose]();
  await mixed?.[Symbol.asyncDispose]();
  mixed = undefined;
});

function macOf(node: TestNode): string {
  return /link\/ether (\S+)/.exec(run(`ip -n ${node.place.name} link show flannel.1`))?.[1] ?? '';
}

/** The way from a node to a subnet: all of it that its kernel has. */
function wayTo(node: TestNode, subnet: string): string {
  const { name } = node.place;
  const first = subnet.replace('/24', '');
  const route = run(`ip -n ${name} route show ${subnet}`).replace(/ proto \S+/, '');
  const neighbour = run(`ip -n ${name} neigh show ${first} dev flannel.1`, { quiet: true });
  const mac = /lladdr (\S+)/.exec(neighbour)?.[1];
  const fdb = run(`bridge -n ${name} fdb show dev flannel.1`, { quiet: true })
    .split('\n')
    .filter((line) => mac !== undefined && line.startsWith(mac));
  return [route, neighbour, ...fdb]
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '')
    .join('\n');
}

const cases: readonly (readonly [StoreKind, 'vxlan' | 'host-gw'])[] = [
  ['etcd', 'vxlan'],
  ['etcd', 'host-gw'],
  ['annotations', 'vxlan'],
  ['annotations', 'host-gw'],
];

describe.each(cases)(`%s, %s: Netloom and ${flannelName('nftables')}`, (store, backend) => {
  const fault = storeFault(store);
  if (fault !== undefined) {
    test.skip(fault, () => undefined);
    return;
  }

  test('exchange leases, their pods talk, and each sees what becomes of the other', async () => {
    mixed = await MixedCluster.start({ store, backend });
    const { first, second, etcd, kube, cluster } = mixed;
    const other = mixed.flannel(second);
    await other.start();
    await mixed.netloom(first, 1);
    const { lease } = await untilStatus(first, ({ ready }) => ready);
    const subnet = String(lease?.subnet);

    const expectedWay = (ip: string, to: string, mac: string): string =>
      backend === 'host-gw'
        ? `${to} via ${ip} dev eth0`
        : [
            `${to} via ${to.replace('/24', '')} dev flannel.1 onlink`,
            `${to.replace('/24', '')} lladdr ${mac} PERMANENT`,
            `${mac} dst ${ip} self permanent`,
          ].join('\n');
    const mac = () => (backend === 'vxlan' ? macOf(first) : '');
    const otherMac = () => (backend === 'vxlan' ? macOf(second) : '');
    const seesUs = async (ip: string): Promise<void> => {
      await until(
        () => wayTo(second, subnet) === expectedWay(ip, subnet, mac()),
        () => `${wayTo(second, subnet)}\nin place of\n${expectedWay(ip, subnet, mac())}`,
      );
    };
    const seesOther = async (): Promise<void> => {
      const wanted = expectedWay('192.0.2.2', other.subnet, otherMac());
      await until(
        () => wayTo(first, other.subnet) === wanted,
        () => `${wayTo(first, other.subnet)}\nin place of\n${wanted}`,
      );
    };
    await seesUs('192.0.2.1');
    await seesOther();

    // What we say is what flannel would say, to the byte; in etcd with our node's name behind.
    const attributes = {
      publicIp: '192.0.2.1',
      backendType: backend,
      backendData: backend === 'vxlan' ? vxlanData(mac()) : undefined,
    } as const;
    if (etcd !== undefined) {
      const values = await etcd.values(`${etcdPrefix}/subnets/`);
      const value = flannelValue(attributes).replace(/\}$/, ',"Node":"node-1"}');
      expect(values.get(`${etcdPrefix}/subnets/${subnet.replace('/', '-')}`)).toBe(value);
    } else {
      const node = await kube?.get('nodes', first.name);
      expect(node?.metadata.annotations).toEqual({ ...othersAnnotations, ...flannelAnnotations(attributes) });
    }

    const { mtu } = other;
    pods.push(startPod({ node: first, subnet, mtu }), startPod({ node: second, subnet: other.subnet, mtu }));
    const [near, far] = pods;
    if (near === undefined || far === undefined) throw new Error('two pods are wanted');
    const talk = async (): Promise<void> => {
      const { there, back } = await exchangeDuring([near, far], async () => undefined, 200);
      for (const one of [there, back]) {
        expect(one).toMatchObject({ lost: 0, twice: 0, tcpProblem: '' });
        expect(one.tcpBytes).toBeGreaterThan(1000);
      }
    };
    await talk();

    if (store === 'etcd' && backend === 'vxlan') {
      // That packets are counted: a way that is cut for a moment, on the node where nobody mends it.
      const { name } = second.place;
      const way = run(`ip -n ${name} route show ${subnet}`).trim();
      const cut = await exchangeDuring(
        [near, far],
        async () => {
          run(`ip -n ${name} route delete ${subnet}`);
          await delay(200);
          run(`ip -n ${name} route add ${way}`);
        },
        200,
      );
      expect(cut.back.lost).toBeGreaterThan(0);
      expect(cut.there.lost).toBe(0);
    }

    // The other one leaves: its lease goes, and with it all that leads there. It comes back, with another MAC.
    await other.stop();
    if (etcd !== undefined) await etcd.delete(`${etcdPrefix}/subnets/${other.subnet.replace('/', '-')}`);
    else await kube?.remove('nodes', second.name);
    await until(
      () => wayTo(first, other.subnet) === '',
      () => wayTo(first, other.subnet),
    );
    const before = otherMac();
    if (backend === 'vxlan') run(`ip -n ${second.place.name} link delete flannel.1`);
    await mixed.registerNode(second, other.subnet);
    await other.start();
    if (backend === 'vxlan') expect(otherMac()).not.toBe(before);
    await seesOther();
    await seesUs('192.0.2.1');

    // We move: another address, which the other one follows.
    run(`ip -n ${first.place.name} address delete 192.0.2.1/24 dev eth0`);
    run(`ip -n ${first.place.name} address add 192.0.2.11/24 dev eth0`);
    run(`ip -n ${first.place.name} route replace default via 192.0.2.200`);
    await seesUs('192.0.2.11');
    await untilStatus(first, ({ ready, lease: now }) => ready && now?.publicIp === '192.0.2.11');
    await seesOther();
    await talk();
    const [status] = [await untilStatus(first, ({ ready }) => ready)];
    expect(String(status.lease?.subnet)).toBe(subnet);
    expect(status.problems).toEqual([]);

    // We leave for good: the lease is given back, and the other one takes away what led to us.
    await cluster.stop(first);
    if (etcd !== undefined) await etcd.delete(`${etcdPrefix}/subnets/${subnet.replace('/', '-')}`);
    else await kube?.remove('nodes', first.name);
    await until(
      () => run(`ip -n ${second.place.name} route show ${subnet}`) === '',
      () => run(`ip -n ${second.place.name} route show`),
    );
  });
});
