// Backend udp between a node of Netloom's and one of flanneld's, whose packets a program of flannel's own carries: the wire format, the
// leases, and that each follows the other. Without flanneld on PATH there is test/agent/udp.test.ts, with datagrams for a peer.
import { afterEach, describe, expect, test } from '@jest/globals';
import { run, until, untilStatus } from '../agent/cluster.ts';
import { MixedCluster, othersAnnotations, storeFault } from './mixed-cluster.ts';
import { type Pod, startPod } from './pod.ts';
import { flannelName, whyNoFlanneld } from './real-flannel.ts';
import { exchangeDuring } from './traffic.ts';

let mixed: MixedCluster | undefined;
const pods: Pod[] = [];

afterEach(async () => {
  for (const pod of pods.splice(0)) pod[Symbol.dispose]();
  await mixed?.[Symbol.asyncDispose]();
  mixed = undefined;
});

describe.each(['etcd', 'annotations'] as const)('%s', (store) => {
  const missing = whyNoFlanneld('nftables');
  const fault = missing === undefined ? storeFault(store) : `without flanneld: ${missing}`;
  if (fault !== undefined) {
    test.skip(fault, () => undefined);
    return;
  }

  test(`Netloom and ${flannelName('nftables')} carry each other's packets`, async () => {
    mixed = await MixedCluster.start({ store, backend: 'udp' });
    const { first, second, etcd, kube, cluster } = mixed;
    const other = mixed.flannel(second);
    await other.start();
    await mixed.netloom(first, 1);
    const { lease, mtu } = await untilStatus(first, ({ ready }) => ready);
    const subnet = String(lease?.subnet);
    expect([mtu, other.mtu]).toEqual([1472, 1472]);

    // What we say is what flannel would say, to the byte; in etcd with our node's name behind.
    if (etcd !== undefined) {
      const values = await etcd.values('/coreos.com/network/subnets/');
      expect(values.get(`/coreos.com/network/subnets/${subnet.replace('/', '-')}`)).toBe(
        '{"PublicIP":"192.0.2.1","PublicIPv6":null,"Node":"node-1"}',
      );
    } else {
      const node = await kube?.get('nodes', first.name);
      expect(node?.metadata.annotations).toEqual({
        ...othersAnnotations,
        'flannel.alpha.coreos.com/backend-data': 'null',
        'flannel.alpha.coreos.com/backend-type': '',
        'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
        'flannel.alpha.coreos.com/public-ip': '192.0.2.1',
      });
    }

    pods.push(
      startPod({ node: first, subnet, mtu: 1472 }),
      startPod({ node: second, subnet: other.subnet, mtu: 1472 }),
    );
    const [near, far] = pods;
    if (near === undefined || far === undefined) throw new Error('two pods are wanted');
    const reaches = (): boolean =>
      run(`ip netns exec ${near.place.name} ping -c 1 -W 1 ${far.address}`, { quiet: true }) !== '';
    await until(reaches, () => 'no answer to ping');
    const talk = async (): Promise<void> => {
      const { there, back } = await exchangeDuring([near, far], async () => undefined, 300);
      for (const one of [there, back]) {
        expect(one).toMatchObject({ lost: 0, twice: 0, tcpProblem: '' });
        expect(one.tcpBytes).toBeGreaterThan(1000);
      }
    };
    await talk();
    // The largest packets, both ways.
    const [from, to] = [near, far];
    for (const [one, peer] of [
      [from, to],
      [to, from],
    ] as const) {
      run(`ip netns exec ${one.place.name} ping -c 3 -i 0.2 -W 2 -M do -s 1444 ${peer.address}`);
    }

    // Ours is another process, then theirs.
    await cluster.stop(first);
    await mixed.netloom(first, 1);
    await until(reaches, () => 'no answer to ping');
    await talk();
  });
});
