// Agents and a proxy on real namespaces with an API server in place of directories: Node objects become routes, Services become rules.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import type { RunningAgent } from '../../agent/run-agent.ts';
import { type RunningProxy, startProxy } from '../../proxy/run-proxy.ts';
import { ping, TestCluster, type TestNode } from '../agent/cluster.ts';
import { daemonNode, silent } from '../proxy/daemon-node.ts';
import { FakeApiServer } from './fake-api-server.ts';
import { bareNode, serviceObject, sliceObject } from './kubernetes-suite.ts';
import { startAgentOn } from './start-agent.ts';
import { until } from './until.ts';

let server: FakeApiServer;

beforeEach(async () => {
  server = await FakeApiServer.start();
});

afterEach(async () => {
  await server.stop();
});

test('agents: leases on Node objects, a data path between them, and a server that goes away', async () => {
  const cluster = new TestCluster({ nodes: 2 });
  const agents: RunningAgent[] = [];
  const config = join(cluster.directory, 'net-conf.json');
  writeFileSync(config, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
  const start = async (node: TestNode): Promise<void> => {
    server.put('nodes', bareNode(node.name, `10.244.${node.number}.0/24`));
    agents.push(await startAgentOn(node, { kubeApiUrl: server.url, netConfigPath: config }));
  };
  try {
    for (const node of cluster.nodes) await start(node);
    const isReady = () =>
      agents.every(
        ({ agent: { state } }) => state.pass?.blockers.length === 0 && state.pass.desired?.peers.length === 1,
      );
    await until(isReady);
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new Error('two nodes are wanted');
    expect(server.get('nodes', 'node-1')?.metadata.annotations).toMatchObject({
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
      'flannel.alpha.coreos.com/public-ip': '192.0.2.1',
    });
    await until(() => ping(first, '10.244.2.1'));
    await until(
      () => Object(server.get('nodes', 'node-1')?.['status'])['conditions']?.[0]?.reason === 'NetloomIsUp',
    );
    // The server is away: everything stays as it is, and is told.
    await server.stop();
    // What a node had to write to its Node at that moment is a problem too.
    const isTold = ({ agent: { state } }: RunningAgent) =>
      state.storeProblems.some(({ message }) => message.startsWith('Cannot watch nodes at http'));
    await until(() => agents.every(isTold));
    expect(ping(first, '10.244.2.1')).toBe(true);
    // What changed meanwhile is seen when it is back.
    server.delete('nodes', 'node-2');
    server.compact();
    await server.listen();
    await until(() => agents[0]?.agent.state.pass?.desired?.peers.length === 0);
    expect(ping(first, '10.244.2.1')).toBe(false);
  } finally {
    for (const agent of agents) await agent.stop();
    await cluster.close();
  }
});

test('the proxy: Services to rules, and /healthz as the Node says', async () => {
  const node = daemonNode({
    services: { kind: 'kubernetes', access: { server: server.url }, node: 'n1' },
    detectsByNode: true,
  });
  let proxy: RunningProxy | undefined;
  // Not synchronous: who answers is in this process.
  const healthz = async () => {
    const curl = ['curl', '-s', '-m', '5', '-w', ' %{http_code}', 'http://127.0.0.1:10256/healthz'];
    const { stdout } = await execa('nsenter', [`--net=${node.node.netns.path}`, '--', ...curl]);
    return `${/"nodeEligible":(\w+)/.exec(stdout)?.[1]} ${stdout.slice(-3)}`;
  };
  const rules = () => node.run('nft', 'list', 'ruleset');
  try {
    server.put('nodes', bareNode('n1', '10.244.1.0/24'));
    server.put('services', serviceObject('web', '10.96.0.10'));
    server.put('endpointslices', sliceObject('web', ['10.244.1.5']));
    proxy = await startProxy(node.options, { log: silent, netns: node.node.netns });
    await until(async () => (await node.status()).ready && rules().includes('10.244.1.5'));
    expect(rules()).toContain('10.96.0.10');
    // The node's pod network, by which its pods are told.
    await until(() => rules().includes('10.244.1.0/24'));
    expect(await healthz()).toBe('true 200');
    server.put('endpointslices', sliceObject('web', ['10.244.1.6']));
    await until(() => rules().includes('10.244.1.6') && !rules().includes('10.244.1.5'));
    const going = bareNode('n1', '10.244.1.0/24');
    const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }];
    server.put('nodes', { ...going, spec: { ...Object(going['spec']), taints } });
    await until(async () => (await healthz()) === 'false 503');
    server.delete('services', 'default/web');
    await until(() => !rules().includes('10.96.0.10'));
  } finally {
    await proxy?.stop();
    node[Symbol.dispose]();
  }
});
