// What only IPVS has, under real traffic: endpoints that go while connections to them last, clients that virtual servers remember, and the
// change from and to the other modes, whose connections the kernel tracks elsewhere. What becomes of single packets is real-packets.test.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { openIpset } from '../../kernel/ipset/driver.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import { type IpvsAccess, type RealServerState, realServerText } from '../../kernel/ipvs/objects.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { IpAddress } from '../../net/address.ts';
import type { Transport } from '../../net/transport.ts';
import { serviceLinkName } from '../../proxy/ipvs/service-link.ts';
import { refuseRoot } from '../sandbox.ts';
import { type LastingConnection, lastingConnection } from './lasting-connection.ts';
import { NodeProxy } from './node-proxy.ts';
import { parseRows } from './packet-row.ts';
import { together } from './packet-state.ts';
import { ipvsFault, type RealModeName, realMode } from './real-modes.ts';
import { type RealNode, realNode } from './real-node.ts';
import { openResponders } from './real-packet.ts';
import { askMany, askOnce, openEcho } from './traffic.ts';

refuseRoot();
// In a virtual machine.
jest.setTimeout(900_000);

const fault = ipvsFault();
const here = fault === undefined ? test : test.skip;
const why = fault === undefined ? '' : ` (${fault})`;
const echoPort = 7000;
const clusterIp = '172.30.0.41';

let world: RealNode;
let ipvs: IpvsAccess;
let proxy: NodeProxy;
const closing: (() => void)[] = [];
const connections: LastingConnection[] = [];

beforeAll(async () => {
  if (fault !== undefined) return;
  world = realNode();
  ipvs = openIpvs({ netns: world.node.netns });
  closing.push(
    await openResponders(
      parseRows(`
        pod 10.180.0.5 tcp 10.180.0.1:8080 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.1.1:8080
        pod 10.180.0.5 udp 10.180.0.1:8080 -> 10.180.0.1:8080, 10.180.0.2:8080, 10.180.1.1:8080
      `),
      world,
    ),
  );
  for (const { netns } of world.pods.slice(0, 2)) closing.push(await openEcho(netns, echoPort));
});

beforeEach(async () => {
  if (fault === undefined) proxy = await NodeProxy.open(realMode('ipvs', world));
});

afterEach(async () => {
  if (fault !== undefined) return;
  for (const connection of connections.splice(0)) connection.reset();
  await proxy.cleanUp();
  proxy.close();
});

afterAll(() => {
  if (fault !== undefined) return;
  for (const close of closing) close();
  ipvs.close();
  world[Symbol.dispose]();
});

/** Service ns1/svc1: port 80 to `port`, 81 to the echo, UDP 53 to `port`; node port 30080 leads to the echo. */
function manifests(endpoints: readonly string[], { spec = '' } = {}): string {
  return together(
    `
apiVersion: v1
kind: Service
metadata: { namespace: ns1, name: svc1 }
spec:
  type: NodePort
  clusterIP: ${clusterIp}
  ports:
  - { name: http, port: 80, nodePort: 30081 }
  - { name: echo, port: 81, nodePort: 30080 }
  - { name: dns, protocol: UDP, port: 53, nodePort: 30053 }
${spec}`,
    `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: ns1, name: svc1-x7k2p, labels: { kubernetes.io/service-name: svc1 } }
addressType: IPv4
ports:
- { name: http, port: 8080 }
- { name: echo, port: ${echoPort} }
- { name: dns, protocol: UDP, port: 8080 }
endpoints: [${endpoints.map((one) => `{ addresses: [${one}] }`).join(', ')}]`,
  );
}

const affine = {
  spec: '  sessionAffinity: ClientIP\n  sessionAffinityConfig: { clientIP: { timeoutSeconds: 2 } }',
};

function realServers(protocol: Transport, port: number): readonly RealServerState[] {
  const id = { protocol, address: IpAddress.parse(clusterIp), port };
  return ipvs.server(id) === undefined ? [] : ipvs.realServers(id);
}

const weights = (protocol: Transport, port: number): Readonly<Record<string, number>> =>
  Object.fromEntries(realServers(protocol, port).map((real) => [realServerText(real), real.weight]));

async function connected(address: string, port: number): Promise<LastingConnection> {
  const connection = await lastingConnection({ from: world.clients.netns, address, port });
  connections.push(connection);
  return connection;
}

/** Asks until it is so; the kernel forgets connections that were reset after ten seconds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 60; i++) {
    if (await holds()) return;
    await sleep(1000);
  }
  throw new Error('Waited a minute for something that does not happen');
}

here(
  `an endpoint that goes keeps its connections and gets no new ones; then its real server goes${why}`,
  async () => {
    await proxy.enter({ manifests: manifests(['10.180.0.1']) });
    const kept = await connected(clusterIp, 81);
    await proxy.enter({ manifests: manifests(['10.180.0.2']) });
    expect(weights('tcp', 81)).toEqual({ '10.180.0.1:7000': 0, '10.180.0.2:7000': 1 });
    // Nobody was connected to it here.
    expect(weights('tcp', 80)).toEqual({ '10.180.0.2:8080': 1 });
    expect(await kept.lives()).toBe(true);
    const fresh = await Promise.all([1, 2, 3, 4].map(() => connected(clusterIp, 81)));
    expect(await Promise.all(fresh.map((one) => one.lives()))).toEqual([true, true, true, true]);
    expect(
      Object.fromEntries(
        realServers('tcp', 81).map((real) => [realServerText(real), real.activeConnections]),
      ),
    ).toEqual({ '10.180.0.1:7000': 1, '10.180.0.2:7000': 4 });
    kept.reset();
    await until(async () => {
      await proxy.again('all');
      return Object.keys(weights('tcp', 81)).length === 1;
    });
    expect(weights('tcp', 81)).toEqual({ '10.180.0.2:7000': 1 });
  },
);

here(`an endpoint that comes back takes connections again${why}`, async () => {
  await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.0.2']) });
  const first = await connected(clusterIp, 81);
  const second = await connected(clusterIp, 81);
  await proxy.enter({ manifests: manifests([]) });
  expect(weights('tcp', 81)).toEqual({ '10.180.0.1:7000': 0, '10.180.0.2:7000': 0 });
  expect(await askOnce(world, `pod 10.180.0.5 tcp ${clusterIp}:81`)).toBe('refused');
  await proxy.enter({ manifests: manifests(['10.180.0.1']) });
  expect(weights('tcp', 81)).toEqual({ '10.180.0.1:7000': 1, '10.180.0.2:7000': 0 });
  expect([await first.lives(), await second.lives()]).toEqual([true, true]);
});

here(`UDP goes at once${why}`, async () => {
  await proxy.enter({ manifests: manifests(['10.180.0.1']) });
  const ask = `outside 203.0.113.9 udp ${clusterIp}:53`;
  expect(await askOnce(world, ask)).toBe('10.180.0.1:8080');
  expect(realServers('udp', 53)).toMatchObject([{ weight: 1, inactiveConnections: 1 }]);
  await proxy.enter({ manifests: manifests(['10.180.0.2']) });
  expect(weights('udp', 53)).toEqual({ '10.180.0.2:8080': 1 });
  expect(await askOnce(world, ask)).toBe('10.180.0.2:8080');
});

here(`a service that goes keeps its connections; nothing is left of it when they end${why}`, async () => {
  await proxy.enter({ manifests: manifests(['10.180.0.1']) });
  const byAddress = await connected(clusterIp, 81);
  const byNodePort = await connected('192.168.0.2', 30080);
  await proxy.enter({ manifests: '' });
  expect([await byAddress.lives(), await byNodePort.lives()]).toEqual([true, true]);
  byAddress.reset();
  byNodePort.reset();
  await until(async () => {
    await proxy.again('all');
    return ipvs.servers(4).length === 0;
  });
  const route = openRouteDriver({ netns: world.node.netns });
  expect(route.addressesOn(serviceLinkName)).toEqual([]);
  route.close();
});

here(`a virtual server remembers clients, and forgets them after the timeout${why}`, async () => {
  // Else what was sent counts as a connection for minutes, in which no client is forgotten.
  ipvs.setTimeouts({ tcp: 0, tcpFin: 0, udp: 1 });
  await proxy.enter({ manifests: manifests(['10.180.0.1', '10.180.1.1'], affine) });
  const clients = Array.from({ length: 24 }, (_, i) => `outside 203.0.113.${10 + i} udp`);
  const ask = (to: string) =>
    askMany(
      world,
      clients.map((client) => `${client} ${to}`),
    );
  const first = await ask(`${clusterIp}:53`);
  expect(new Set(first)).toEqual(new Set(['10.180.0.1:8080', '10.180.1.1:8080']));
  expect(await ask(`${clusterIp}:53`)).toEqual(first);
  await sleep(5000);
  expect(
    await askMany(
      world,
      [...clients].reverse().map((client) => `${client} ${clusterIp}:53`),
    ),
  ).not.toEqual([...first].reverse());
});

here(`published ports of pods catch nothing that is for a service${why}`, async () => {
  // As the plugin and the reference's portmap publish: whatever address of the node it is. Those of services are the node's, too.
  const published = 'fib daddr type local tcp dport { 80, 30081, 8443 } dnat ip to 10.180.0.2:8080';
  const hostPorts = `table inet host-ports {
    chain prerouting { type nat hook prerouting priority -90; ${published}; }
    chain output { type nat hook output priority -90; ${published}; }
  }`;
  const nft = (text: string) => execute(['nft', text], { netns: world.node.netns });
  await proxy.enter({ manifests: manifests(['10.180.0.1']) });
  await nft(hostPorts);
  try {
    for (const from of ['outside 203.0.113.9', 'pod 10.180.0.5', 'node 192.168.0.2']) {
      const to = (address: string) => askOnce(world, `${from} tcp ${address}`);
      expect(await to(`${clusterIp}:80`)).toBe('10.180.0.1:8080');
      expect(await to('192.168.0.2:30081')).toBe('10.180.0.1:8080');
      expect(await to(`${clusterIp}:8443`)).toBe('refused');
      expect(await to('192.168.0.2:8443')).toBe('10.180.0.2:8080');
    }
  } finally {
    await nft('delete table inet host-ports');
  }
});

const turns: readonly RealModeName[] = ['ipvs', 'iptables-nft', 'ipvs', 'nftables'];

here(
  `modes take turns, and connections from every one of them last; nothing of IPVS is left${why}`,
  async () => {
    await proxy.restart(realMode('nftables', world));
    await proxy.enter({ manifests: manifests(['10.180.0.1']) });
    const ways = [
      [clusterIp, 81],
      ['192.168.0.2', 30080],
    ] as const;
    let left: readonly string[] = [];
    for (const name of ['nftables', ...turns] as const) {
      if (name !== 'nftables' || connections.length > 0) left = await proxy.restart(realMode(name, world));
      for (const [address, port] of ways) await connected(address, port);
      const living = await Promise.all(connections.map((one) => one.lives()));
      expect({ name, living }).toEqual({ name, living: connections.map(() => true) });
      expect(await askOnce(world, `outside 203.0.113.9 tcp ${clusterIp}:80`)).toBe('10.180.0.1:8080');
      expect(await askOnce(world, `node 192.168.0.2 tcp ${clusterIp}:80`)).toBe('10.180.0.1:8080');
    }
    // Its connections live in it: so it stays behind until they end.
    expect(left).not.toEqual([]);
    expect(ipvs.servers(4)).not.toEqual([]);
    for (const connection of connections) connection.reset();
    await until(async () => (await realMode('nftables', world).removeOthers()).length === 0);
    expect([...ipvs.servers(4), ...ipvs.servers(6)]).toEqual([]);
    const route = openRouteDriver({ netns: world.node.netns });
    expect(route.link(serviceLinkName)).toBeUndefined();
    route.close();
    const sets = openIpset({ netns: world.node.netns });
    expect(sets.headers()).toEqual([]);
    sets.close();
  },
);
