// A cluster moves from flannel to Netloom node by node, and a node back again, while pods talk across: what stays as it was, and how many
// packets are lost. flannel is flanneld where it is on PATH, else a node with its exact records and kernel objects.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { logOf, run, type TestNode, until, untilStatus } from '../agent/cluster.ts';
import type { FlannelNode, FlannelRulesForm } from './flannel-node.ts';
import { etcdPrefix } from './flannel-store.ts';
import { MixedCluster, type StoreKind, storeFault } from './mixed-cluster.ts';
import { type Pod, startPod } from './pod.ts';
import { flannelName } from './real-flannel.ts';
import { dialDuring, type Exchange, exchangeDuring } from './traffic.ts';

let mixed: MixedCluster | undefined;
const pods: Pod[] = [];

afterEach(async () => {
  for (const pod of pods.splice(0)) pod[Symbol.dispose]();
  await mixed?.[Symbol.asyncDispose]();
  mixed = undefined;
});

/** What must be the same before and after: devices by number and MAC, addresses, ports of the bridge, subnet.env. */
function identity({ place, subnetFile }: TestNode): string {
  // `ip -json` prints what iproute2 documents.
  const links = JSON.parse(run(`ip -n ${place.name} -json link show`)) as readonly {
    readonly ifindex: number;
    readonly ifname: string;
    readonly address: string;
    readonly mtu: number;
    readonly master?: string;
  }[];
  return [
    ...links.map(({ ifindex, ifname, address, mtu, master = '' }) =>
      [ifindex, ifname, address, mtu, master].join(' '),
    ),
    ...['flannel.1', 'cni0'].map((device) =>
      run(`ip -n ${place.name} -o -4 address show dev ${device}`, { quiet: true })
        .replace(/valid_lft.*/g, '')
        .trim(),
    ),
    readFileSync(subnetFile, 'utf8'),
  ].join('\n');
}

function routes({ place }: TestNode, which: string): readonly string[] {
  return run(`ip -n ${place.name} route show ${which}`)
    .split('\n')
    .filter((line) => line.startsWith('10.244.') && !line.includes('dev cni0'));
}

/** All rules of a node that masquerade, or stand in flannel's names. */
function firewall({ place }: TestNode): { readonly flannels: string; readonly masquerades: number } {
  const inside = (command: string) => run(`ip netns exec ${place.name} ${command}`, { quiet: true });
  const ruleset = inside('nft list ruleset');
  // To ask makes tables, and by then that does no harm.
  const legacy = inside('iptables-legacy-save');
  const all = `${ruleset}\n${legacy}`;
  return {
    flannels: all
      .split('\n')
      .filter((line) => /flannel/i.test(line))
      .join('\n'),
    masquerades:
      all.match(/^.*saddr 10\.244\.0\.0\/16 ip daddr != 224\.0\.0\.0\/4 .*masquerade/gm)?.length ?? 0,
  };
}

function leadNowhere({ place: { name } }: TestNode): void {
  run(`ip -n ${name} neigh replace 10.244.77.0 dev flannel.1 lladdr 02:00:00:00:00:77 nud permanent`);
  run(`bridge -n ${name} fdb replace 02:00:00:00:00:77 dev flannel.1 dst 192.0.2.77 self permanent`);
  run(`ip -n ${name} route replace 10.244.77.0/24 via 10.244.77.0 dev flannel.1 onlink`);
}

/** Says what was measured, for whoever reads the run, and not only that it was well. */
function unharmed(what: string, { there, back }: Exchange): void {
  const text = [there, back].map(
    ({ sent, lost, tcpBytes }) => `${lost} of ${sent} lost, ${tcpBytes} bytes of TCP`,
  );
  process.stdout.write(`${what}: there ${text[0]}; back ${text[1]}\n`);
  for (const direction of [there, back]) {
    expect(direction).toMatchObject({ lost: 0, twice: 0, tcpProblem: '' });
    expect(direction.tcpBytes).toBeGreaterThan(10_000);
  }
}

/** What the agent says that it took away, first of all. */
const firstRemoved: Readonly<Record<FlannelRulesForm, string>> = {
  iptables: 'iptables chain FLANNEL-POSTRTG (IPv4 nat, nft)',
  'iptables-legacy': 'iptables chain FLANNEL-POSTRTG (IPv4 nat, legacy)',
  nftables: 'nftables table ip flannel-ipv4',
};

const combinations: readonly (readonly [StoreKind, 'vxlan' | 'host-gw', FlannelRulesForm])[] = [
  ['etcd', 'vxlan', 'iptables'],
  ['etcd', 'host-gw', 'nftables'],
  ['annotations', 'vxlan', 'nftables'],
  ['annotations', 'host-gw', 'iptables-legacy'],
];

const cases = combinations.map((one) => [...one, flannelName(one[2])] as const);

describe.each(cases)('%s, %s, rules in %s: %s', (store, backend, rules) => {
  const fault = storeFault(store);
  if (fault !== undefined) {
    test.skip(fault, () => undefined);
    return;
  }

  test('hands over node after node, and no packet is lost', async () => {
    mixed = await MixedCluster.start({ store, backend, rules });
    const { first, second, etcd, kube } = mixed;
    const flannels = [mixed.flannel(first), mixed.flannel(second)] as const;
    for (const one of flannels) await one.start();
    const [{ subnet, mtu }, { subnet: otherSubnet }] = flannels;
    pods.push(
      startPod({ node: first, subnet, mtu }),
      startPod({ node: second, subnet: otherSubnet, mtu }),
      startPod({ node: first, subnet, mtu }),
    );
    await until(
      () => routes(first, otherSubnet).length === 1 && routes(second, subnet).length === 1,
      () => 'no routes yet',
    );
    // A peer that went while flanneld was away: it never takes away what led there.
    if (backend === 'vxlan') leadNowhere(first);
    const before = [identity(first), identity(second)];
    const stored = async (): Promise<ReadonlyMap<string, unknown>> => {
      if (etcd !== undefined) return await etcd.values(`${etcdPrefix}/subnets/`);
      const nodes = (await kube?.list('nodes')) ?? [];
      return new Map(nodes.map(({ metadata }) => [metadata.name, metadata.annotations]));
    };
    const leases = await stored();

    unharmed(`${store}, ${backend}, rules in ${rules}: flannel to Netloom`, await handOver(mixed, flannels));

    expect([identity(first), identity(second)]).toEqual(before);
    for (const [node, own, peer] of [
      [first, subnet, otherSubnet],
      [second, otherSubnet, subnet],
    ] as const) {
      const status = await untilStatus(node, ({ ready }) => ready);
      expect(String(status.lease?.subnet)).toBe(own);
      expect(status.repaired).toEqual({});
      expect(status.problems).toEqual([]);
      // Adopted, not doubled.
      expect(routes(node, 'root 10.244.0.0/16')).toHaveLength(1);
      expect(routes(node, peer)[0]).toContain('proto 78');
      expect(firewall(node)).toEqual({ flannels: '', masquerades: 1 });
      expect(logOf(node)).toContain(`"removed":["${firstRemoved[rules]}"`);
      if (backend === 'vxlan') {
        const link = run(`ip -n ${node.place.name} link show flannel.1`);
        expect(link).toContain('alias netloom');
        expect(link).toContain(status.lease?.vtepMac ?? 'no MAC');
      }
    }
    // The records are flannel's still; in etcd they have our nodes' names behind.
    const after = await stored();
    for (const [key, value] of leases) {
      const now = after.get(key);
      if (typeof value === 'string')
        expect(now).toMatch(new RegExp(`^${escaped(value.slice(0, -1))},"Node":"node-[12]"}$`));
      else expect(now).toEqual(value);
    }

    if (backend !== 'vxlan') return;
    // And the way back of one of them.
    const again = mixed.flannel(first);
    unharmed(`${store}, ${backend}, rules in ${rules}: Netloom to flannel`, await giveBack(mixed, again));
    expect(again.subnet).toBe(subnet);
    expect(identity(first)).toBe(before[0]);
  });
});

/** Both nodes, one after the other, while two pods exchange packets and a third one talks to the outside. */
async function handOver(
  cluster: MixedCluster,
  flannels: readonly [FlannelNode, FlannelNode],
): Promise<Exchange> {
  const { first, second, outside } = cluster;
  const [near, far, third] = threePods();
  return await exchangeDuring(
    [near, far],
    async () => {
      const dialled = await dialDuring(third, outside, async () => {
        await flannels[0].stop();
        await cluster.netloom(first, 1);
      });
      // Each new flow to the outside has the node's address, from the first rule to the last.
      expect(Object.keys(dialled.sources)).toEqual(['192.0.2.1']);
      expect((dialled.sources['192.0.2.1'] ?? 0) + dialled.drops).toBe(dialled.sent);
      await flannels[1].stop();
      await cluster.netloom(second, 1);
      await delay(300);
    },
    2000,
  );
}

/** The first node, from Netloom to flannel; whoever moves back takes Netloom's rules away by hand. */
async function giveBack({ cluster, first }: MixedCluster, flannel: FlannelNode): Promise<Exchange> {
  const [near, far] = threePods();
  return await exchangeDuring(
    [near, far],
    async () => {
      await cluster.stop(first);
      await flannel.start();
      await until(
        () => routes(first, 'root 10.244.0.0/16').every((line) => !line.includes('proto 78')),
        () => run(`ip -n ${first.place.name} route show`),
      );
      run(`ip netns exec ${first.place.name} nft delete table inet netloom`);
      await delay(300);
    },
    1000,
  );
}

function threePods(): readonly [Pod, Pod, Pod] {
  const [near, far, third] = pods;
  if (near === undefined || far === undefined || third === undefined) throw new Error('no pods');
  return [near, far, third];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
