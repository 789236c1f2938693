import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { createIptablesMode } from '../iptables/iptables-mode.ts';
import { isIpvsOnlyChain, ownTables } from '../iptables/own-chains.ts';
import { removeChains } from '../iptables/removal.ts';
import { sampleContext } from '../iptables/sample-context.ts';
import { samplePort } from '../sample-services.ts';
import type { ServicePort } from '../service-port.ts';
import { removeIpvs } from './remove-ipvs.ts';
import { type SampleKernels, type SampleNode, sampleKernels, sampleNode } from './sample-node.ts';
import { serviceLinkName } from './service-link.ts';

const signal = new AbortController().signal;
const ports: readonly ServicePort[] = [
  samplePort({ clusterEndpoints: ['10.0.0.1:80'], nodePort: 30000 }),
  samplePort({
    service: 'local',
    clusterIp: '10.96.0.11',
    loadBalancerIps: ['192.0.2.7'],
    sourceRanges: ['192.168.0.0/16'],
    externalPolicy: 'Local',
    clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80'],
    localEndpoints: ['10.0.0.2:80'],
  }),
  samplePort({ service: 'none', clusterIp: '10.96.0.12' }),
];

async function syncIptables({ iptables }: SampleKernels): Promise<number> {
  const mode = createIptablesMode({
    access: iptables.access(4),
    inBatches: true,
    randomFully: true,
    allowRouteLocalnet: () => {},
    cleanUp: async () => [],
  });
  const all = new Map(ports.map((port) => [port.key, port]));
  const context = sampleContext({ localhostNodePorts: false });
  const first = await mode.sync({ ports: all, changed: 'all', context }, signal);
  expect(first.failed.size).toBe(0);
  return (await mode.sync({ ports: all, changed: 'all', context }, signal)).changes;
}

async function rules({ iptables }: SampleKernels): Promise<readonly string[]> {
  const tables = await Promise.all(ownTables.map((table) => iptables.access(4).save(table)));
  return tables.flatMap((table, i) => [
    ...[...table.chains.keys()].map((chain) => `${ownTables[i]} ${chain}`),
    ...table.rules.map((rule) => `${ownTables[i]} ${rule}`),
  ]);
}

async function ipvsNode(kernels = sampleKernels()): Promise<SampleNode> {
  const node = sampleNode({ kernels });
  expect((await node.set(...ports)).failed.size).toBe(0);
  return node;
}

async function leave(kernels: SampleKernels, when: 'idle' | 'now' = 'idle') {
  await removeChains({
    access: kernels.iptables.access(4),
    tables: ownTables,
    isOurs: isIpvsOnlyChain,
    signal,
    label: 'iptables',
  });
  return await removeIpvs({
    family: 4,
    ipvs: kernels.ipvs.access(),
    ipset: kernels.ipset.access(),
    route: kernels.route,
    excludePrefixes: [],
    when,
  });
}

describe('from iptables', () => {
  test('its rules go in the same moment as ours come, once the addresses are bound', async () => {
    const kernels = sampleKernels();
    await syncIptables(kernels);
    const order: string[] = [];
    const { route, iptables } = kernels;
    const watched = {
      ...route,
      link: (name: string) => route.link(name),
      addressesOn: (name: string) => route.addressesOn(name),
      apply(steps: Parameters<typeof route.apply>[0]) {
        if (steps.some(({ kind }) => kind === 'address-add'))
          order.push(`bound after ${iptables.restores.length}`);
        return route.apply(steps);
      },
    };
    const { length } = iptables.restores;
    const node = await ipvsNode({ ...kernels, route: watched });
    expect(order).toEqual([`bound after ${length}`]);
    expect((await node.all()).changes).toBe(0);
    const fresh = await ipvsNode();
    const kubelets = /KUBE-FIREWALL/;
    expect((await rules(node)).filter((rule) => !kubelets.test(rule)).sort()).toEqual(
      [...(await rules(fresh))].sort(),
    );
  });
});

describe('to iptables', () => {
  test('what waits for connections stays until they end', async () => {
    const kernels = sampleKernels();
    const node = await ipvsNode(kernels);
    const vip = { protocol: 'tcp', address: IpAddress.parse('10.96.0.10'), port: 80 } as const;
    const real = { address: IpAddress.parse('10.0.0.1'), port: 80 };
    const nodePort = { ...vip, address: IpAddress.parse('192.168.0.2'), port: 30000 };
    for (const id of [vip, nodePort]) kernels.ipvs.setConnections(id, real, { activeConnections: 1 });
    expect(await syncIptables(kernels)).toBe(0);
    const first = await leave(kernels);
    expect(first.left).toEqual(['IPv4 IPVS: 2 virtual servers with connections, until these end']);
    expect(node.servers()).toEqual([
      'tcp 10.96.0.10:80 rr -> 10.0.0.1:80 0',
      'tcp 192.168.0.2:30000 rr -> 10.0.0.1:80 0',
    ]);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
    for (const id of [vip, nodePort]) kernels.ipvs.setConnections(id, real, { activeConnections: 0 });
    expect((await leave(kernels)).left).toEqual([]);
    expect([node.servers(), node.route.link(serviceLinkName), node.ipset.access().headers()]).toEqual([
      [],
      undefined,
      [],
    ]);
    expect(await leave(kernels)).toEqual({ removed: [], left: [] });
    const fresh = sampleKernels();
    await syncIptables(fresh);
    expect([...(await rules(kernels))].sort()).toEqual([...(await rules(fresh))].sort());
  });

  test('virtual servers of others stay: at other addresses, and what no set names', async () => {
    const kernels = sampleKernels();
    const node = await ipvsNode(kernels);
    const theirs = { protocol: 'tcp', address: IpAddress.parse('192.168.0.2'), port: 443 } as const;
    kernels.ipvs.access().apply([
      {
        kind: 'server-add',
        server: { ...theirs, scheduler: 'rr', persistentSeconds: undefined, hashesPort: false },
      },
    ]);
    await leave(kernels, 'now');
    expect(node.servers()).toEqual(['tcp 192.168.0.2:443 rr -> ']);
  });
});

test("kube-proxy's own objects are taken over: nothing that is right is touched", async () => {
  const kernels = sampleKernels();
  const before = await ipvsNode(kernels);
  const own = await rules(kernels);
  // What kube-proxy has beside ours.
  await kernels.iptables.access(4).restore(`*filter
:KUBE-IPVS-OUT-FILTER - [0:0]
-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER
COMMIT
`);
  const steps = kernels.ipvs.applied.length;
  const node = sampleNode({ kernels });
  for (const port of ports) node.ports.set(port.key, port);
  expect((await node.all()).changes).toBeGreaterThan(0);
  expect(kernels.ipvs.applied).toHaveLength(steps);
  expect(await rules(kernels)).toEqual(own);
  expect(node.servers()).toEqual(before.servers());
});
