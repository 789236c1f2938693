// Clusters of IPv6 alone and of both families on every store: two agents on real namespaces whose leases meet in a directory, in etcd or on
// Node objects, in flannel's formats, and packets between them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { RunningAgent } from '../../agent/run-agent.ts';
import { run, TestCluster, type TestNode } from '../agent/cluster.ts';
import { EtcdCluster, etcdFault } from './etcd-cluster.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { startAgentOn } from './start-agent.ts';
import { until } from './until.ts';

const prefix = 'flannel.alpha.coreos.com/';

interface Families {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Of the node with this number, where somebody else gives networks to nodes. */
  readonly networks: (node: number) => readonly string[];
  /** The leases' names in a store that gives them itself. */
  readonly key: RegExp;
}

const six = { EnableIPv6: true, IPv6Network: 'fd00:244::/48' };
const both: readonly Families[] = [
  {
    name: 'IPv6 alone',
    config: { EnableIPv4: false, ...six },
    networks: (node) => [`fd00:244:0:${node}::/64`],
    key: /^fd00:244:0:[0-9a-f]+::-64$/,
  },
  {
    name: 'both families',
    config: { Network: '10.244.0.0/16', ...six },
    networks: (node) => [`10.244.${node}.0/24`, `fd00:244:0:${node}::/64`],
    key: /^10\.244\.\d+\.0-24&fd00:244:0:[0-9a-f]+::-64$/,
  },
];

/** A place for leases, as agents are told of it, and as others see it. */
interface World extends AsyncDisposable {
  readonly flags: Readonly<Record<string, unknown>>;
  prepare(node: TestNode): void;
  /** Key -> value of the leases in flannel's etcd format; undefined where they are on Nodes. */
  values(): Promise<ReadonlyMap<string, string>> | undefined;
  /** flannel's annotations without their prefix, of the first node. */
  annotations(): Readonly<Record<string, string>> | undefined;
}

interface Store {
  readonly name: string;
  readonly fault: string | undefined;
  open(cluster: TestCluster, families: Families, config: object): Promise<World>;
}

const stores: readonly Store[] = [
  {
    name: 'directory',
    fault: undefined,
    open: async (cluster) => ({
      flags: { storeDirectory: cluster.store },
      prepare: () => undefined,
      async values() {
        const folder = join(cluster.store, 'subnets');
        const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
        return new Map(
          names.map((name) => [name.slice(0, -'.json'.length), readFileSync(join(folder, name), 'utf8')]),
        );
      },
      annotations: () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    }),
  },
  {
    name: 'etcd',
    fault: etcdFault(),
    async open(_cluster, _families, config) {
      const etcd = await EtcdCluster.start();
      const place = '/coreos.com/network';
      await etcd.put(`${place}/config`, JSON.stringify(config));
      return {
        flags: { etcdEndpoints: etcd.endpoints.join(',') },
        prepare: () => undefined,
        async values() {
          const values = await etcd.values(`${place}/subnets/`);
          return new Map([...values].map(([key, value]) => [key.slice(`${place}/subnets/`.length), value]));
        },
        annotations: () => undefined,
        [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
      };
    },
  },
  {
    name: 'Kubernetes',
    fault: undefined,
    async open(cluster, families, config) {
      const server = await FakeApiServer.start();
      const path = join(cluster.directory, 'net-conf.json');
      writeFileSync(path, JSON.stringify(config));
      return {
        flags: { kubeApiUrl: server.url, netConfigPath: path },
        prepare({ name, number }) {
          const podCIDRs = families.networks(number);
          const spec = { podCIDR: podCIDRs[0], podCIDRs };
          server.put('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec });
        },
        values: () => undefined,
        annotations() {
          const all: Readonly<Record<string, string>> =
            server.get('nodes', 'node-1')?.metadata.annotations ?? {};
          const own = Object.entries(all).filter(([key]) => key.startsWith(prefix));
          return Object.fromEntries(own.map(([key, text]) => [key.slice(prefix.length), text]));
        },
        [Symbol.asyncDispose]: () => server.stop(),
      };
    },
  },
];

/** The pods' gateways on a node. */
function gatewaysOf({ subnetFile }: TestNode): readonly string[] {
  const env = readFileSync(subnetFile, 'utf8');
  return [...env.matchAll(/^FLANNEL_(?:IPV6_)?SUBNET=(.*)\/\d+$/gm)].map(([, address = '']) => address);
}

function reaches(from: TestNode, to: TestNode): boolean {
  const sources = gatewaysOf(from);
  return gatewaysOf(to).every((address, i) =>
    run(`ip netns exec ${from.place.name} ping -c 1 -W 1 -n -I ${sources[i]} ${address}`, {
      quiet: true,
    }).includes(' 0% packet loss'),
  );
}

describe.each(stores)('leases in $name', ({ fault, open }) => {
  for (const families of both) {
    const title = `${families.name}: leases in flannel’s format, packets between nodes`;
    if (fault !== undefined) {
      test.skip(`${title}: ${fault}`, () => undefined);
      continue;
    }
    test(title, async () => {
      const config = { ...families.config, Backend: { Type: 'vxlan' } };
      const cluster = new TestCluster({ nodes: 2, config });
      const agents: RunningAgent[] = [];
      await using world = await open(cluster, families, config);
      try {
        for (const node of cluster.nodes) {
          world.prepare(node);
          agents.push(await startAgentOn(node, world.flags));
        }
        await until(() =>
          agents.every(
            ({ agent: { state } }) =>
              state.pass?.blockers.length === 0 && state.pass.desired?.peers.length === 1,
          ),
        );
        const [first, second] = cluster.nodes;
        if (first === undefined || second === undefined) throw new Error('two nodes are wanted');
        await until(() => reaches(first, second) && reaches(second, first));
        expect(gatewaysOf(first)).toHaveLength(families.networks(1).length);
        await expectFormat(world, families);
      } finally {
        for (const agent of agents) await agent.stop();
        await cluster.close();
      }
    });
  }
});

const vxlanData = expect.objectContaining({ VNI: 1, VtepMAC: expect.stringMatching(/^[0-9a-f:]{17}$/) });

async function expectFormat(world: World, families: Families): Promise<void> {
  const isBoth = families.networks(1).length === 2;
  const values = await world.values();
  if (values !== undefined) {
    expect(values.size).toBe(2);
    for (const [key, text] of values) {
      expect(key).toMatch(families.key);
      expect(JSON.parse(text)).toEqual({
        // flannel's zero value: its Go has no way to leave it out.
        PublicIP: isBoth ? expect.stringMatching(/^192\.0\.2\.[12]$/) : '0.0.0.0',
        PublicIPv6: expect.stringMatching(/^2001:db8::[12]$/),
        BackendType: 'vxlan',
        ...(isBoth ? { BackendData: vxlanData } : {}),
        BackendV6Data: vxlanData,
        Node: expect.stringMatching(/^node-[12]$/),
      });
    }
  }
  const annotations = world.annotations();
  if (annotations === undefined) return;
  const data = expect.stringMatching(/^\{"VNI":1,"VtepMAC":"[0-9a-f:]{17}"\}$/);
  expect(annotations).toEqual({
    'kube-subnet-manager': 'true',
    'backend-type': 'vxlan',
    ...(isBoth ? { 'public-ip': '192.0.2.1', 'backend-data': data } : {}),
    'public-ipv6': '2001:db8::1',
    'backend-v6-data': data,
  });
}
