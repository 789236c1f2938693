// The whole proxy on a real node: files in a directory become rules, traffic follows them, and what others do is put right.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { datagramSocket } from '../../cli/lab/datagram-socket.ts';
import { type EndpointSockets, openEndpoint } from '../../cli/lab/endpoint-sockets.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { cleanUpProxy } from '../../proxy/clean-up-proxy.ts';
import { type ProxyModeName, proxyModes } from '../../proxy/proxy-mode.ts';
import type { ProxyOptions } from '../../proxy/proxy-options.ts';
import { type RunningProxy, startProxy } from '../../proxy/run-proxy.ts';
import { type Clock, realClock } from '../../runtime/clock.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { type DaemonNode, daemonNode, silent, until } from './daemon-node.ts';
import { ipvsFault } from './real-modes.ts';

const noIpvs = ipvsFault();
if (noIpvs !== undefined) test.skip(`ipvs: ${noIpvs}`, () => undefined);
const modes = proxyModes.filter((mode) => mode !== 'ipvs' || noIpvs === undefined);
const clusterIp = '10.96.0.10';
let node: DaemonNode;
let pods: readonly TestNetns[];
let sockets: EndpointSockets[];
let proxy: RunningProxy | undefined;

async function makeNode(mode: ProxyModeName): Promise<void> {
  node = daemonNode({ mode, ...(mode === 'nftables' ? {} : { minSyncPeriod: 100, syncPeriod: 30_000 }) });
  mkdirSync(node.serviceDirectory, { recursive: true });
  writeSysctl('net/ipv4/ip_forward', '1', { netns: node.node.netns });
  pods = [testNetns(), testNetns()];
  sockets = [];
  for (const [i, pod] of pods.entries()) {
    node.ip('link', 'add', `pod${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
    node.ip('address', 'add', `10.244.${i}.1/24`, 'dev', `pod${i}`);
    node.ip('link', 'set', `pod${i}`, 'up');
    const inPod = ['nsenter', `--net=${pod.netns.path}`, 'ip'] as const;
    node.run(...inPod, 'address', 'add', `10.244.${i}.2/24`, 'dev', 'eth0');
    node.run(...inPod, 'link', 'set', 'eth0', 'up');
    node.run(...inPod, 'route', 'add', 'default', 'via', `10.244.${i}.1`);
    sockets.push(await openEndpoint({ name: `pod${i}`, netns: pod.netns.path, port: 8080 }));
  }
}

afterEach(async () => {
  await stop();
  for (const one of sockets) one.close();
  for (const pod of pods) pod[Symbol.dispose]();
  node[Symbol.dispose]();
});

async function start(more: Partial<ProxyOptions> = {}, clock: Clock = realClock): Promise<void> {
  proxy = await startProxy({ ...node.options, ...more }, { log: silent, netns: node.node.netns, clock });
  await until(async () => (await node.status()).ready);
}

async function stop(): Promise<void> {
  const stopped = proxy;
  proxy = undefined;
  await stopped?.stop();
}

/** As whoever writes manifests should: another name first. */
function write(name: string, ...objects: readonly object[]): void {
  const path = join(node.serviceDirectory, `${name}.json`);
  writeFileSync(`${path}.new`, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  renameSync(`${path}.new`, path);
}

const service = (spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'ns', name: 'web' },
  spec: {
    type: 'ClusterIP',
    clusterIP: clusterIp,
    ports: [
      { name: 'http', port: 80, protocol: 'TCP' },
      { name: 'echo', port: 53, protocol: 'UDP' },
    ],
    ...spec,
  },
});

const slice = (...of: readonly number[]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'ns', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [
    { name: 'http', port: 8080, protocol: 'TCP' },
    { name: 'echo', port: 8080, protocol: 'UDP' },
  ],
  endpoints: of.map((i) => ({
    addresses: [`10.244.${i}.2`],
    conditions: { ready: true },
    nodeName: 'n1',
  })),
});

/** Who answers, from the node itself; undefined when nobody does. */
async function ask(url = `http://${clusterIp}/`): Promise<string | undefined> {
  const inside = ['nsenter', `--net=${node.node.netns.path}`, 'curl', '-s', '-m', '2', url] as const;
  const { stdout, failed } = await execa(inside[0], inside.slice(1), { reject: false });
  return failed ? undefined : String(JSON.parse(stdout).name);
}

const rules = (): string => node.run('nft', 'list', 'ruleset');

describe.each(modes)('%s', (mode) => {
  beforeEach(() => makeNode(mode));

  test('a file becomes rules, a change of it moves the traffic, and without it there is none', async () => {
    await start();
    expect(await ask()).toBeUndefined();
    write('web', service(), slice(0));
    await until(async () => (await ask()) === 'pod0');
    write('web', service(), slice(1));
    await until(async () => (await ask()) === 'pod1');
    write('web', service());
    await until(async () => (await ask()) === undefined);
    write('web', service(), slice(0, 1));
    await until(async () => (await ask()) !== undefined);
    const status = await node.status();
    expect(status.families[0]).toMatchObject({
      services: 1,
      ports: 2,
      endpoints: 4,
      failedPorts: { total: 0 },
    });
    rmSync(join(node.serviceDirectory, 'web.json'));
    await until(async () => (await node.status()).families[0]?.services === 0);
    expect(await ask()).toBeUndefined();
  });

  test('no request is lost while endpoints change under traffic', async () => {
    write('web', service(), slice(0));
    await start();
    const answers: (string | undefined)[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 3 === 0) write('web', service(), i % 2 === 0 ? slice(1) : slice(0, 1));
      answers.push(await ask());
    }
    expect(answers).toHaveLength(60);
    expect(answers).not.toContain(undefined);
    expect(new Set(answers)).toEqual(new Set(['pod0', 'pod1']));
  });

  test('a UDP client that goes on talking reaches the new endpoint', async () => {
    write('web', service(), slice(0));
    await start();
    const socket = datagramSocket();
    const bound = once(socket, 'listening');
    node.node.netns.run(() => socket.bind(0));
    await bound;
    try {
      const from: string[] = [];
      socket.on('message', (data) => from.push(JSON.parse(data.toString().split('\n')[0] ?? '').name));
      const reaches = async (name: string): Promise<void> => {
        await until(() => {
          socket.send('x', 53, clusterIp);
          return from.at(-1) === name;
        });
      };
      await reaches('pod0');
      write('web', service(), slice(1));
      await reaches('pod1');
      expect(await node.metrics()).toMatch(
        /^kubeproxy_conntrack_reconciler_deleted_entries_total\{ip_family="IPv4"\} [1-9]/m,
      );
    } finally {
      socket.close();
    }
  });

  describe('what happens to it', () => {
    /** In a process of its own, as it is on a node. */
    async function startApart(): Promise<ChildProcess> {
      const here = new URL('../..', import.meta.url).pathname;
      const program = `
        const { startProxy } = await import('${here}proxy/run-proxy.ts');
        const { createLog } = await import('${here}runtime/log.ts');
        await startProxy(${JSON.stringify(node.options)}, { log: createLog({ level: 'error' }) });`;
      const child = spawn(
        'nsenter',
        [`--net=${node.node.netns.path}`, process.execPath, '--input-type=module', '-e', program],
        { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } },
      );
      await until(async () => {
        try {
          return (await node.status()).ready;
        } catch {
          return false;
        }
      });
      return child;
    }

    test('killed: the rules go on as they are, and the next one changes nothing', async () => {
      write('web', service(), slice(0));
      const child = await startApart();
      await until(async () => (await ask()) === 'pod0');
      const before = withoutCounts(rules());
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await ask()).toBe('pod0');
      await start();
      expect(withoutCounts(rules())).toBe(before);
      expect(await node.status()).toMatchObject({
        families: [{ lastSync: { full: true, changes: 0 } }, { lastSync: { full: true, changes: 0 } }],
      });
      expect(await ask()).toBe('pod0');
    });

    test('what changed while it was away is made good', async () => {
      write('web', service(), slice(0));
      await start();
      await until(async () => (await ask()) === 'pod0');
      await stop();
      expect(await ask()).toBe('pod0');
      write('web', service(), slice(1));
      await start();
      expect(await ask()).toBe('pod1');
    });

    test('the ruleset is flushed: it is put back, and told', async () => {
      write('web', service(), slice(0));
      await start();
      await until(async () => (await ask()) === 'pod0');
      node.run('nft', 'flush', 'ruleset');
      await until(async () => (await node.status()).families[0]?.repaired === 1);
      expect(await ask()).toBe('pod0');
      await until(async () => (await node.status()).families[1]?.repaired === 1);
      expect(await node.metrics()).toContain('netloom_proxy_foreign_changes_mended_total{family="IPv4"} 1');
    });

    test('another program changes its own table: that is nothing to us', async () => {
      await start();
      const { syncs } = (await node.status()).families[0] ?? {};
      node.run('nft', 'add', 'table', 'ip', 'stranger');
      await new Promise((resolve) => realClock.setTimer(600, () => resolve(undefined)));
      expect((await node.status()).families[0]?.syncs).toBe(syncs);
    });
  });

  test('the cleanup takes away what was made, and nothing else', async () => {
    write('web', service(), slice(0));
    node.run('nft', 'add', 'table', 'ip', 'stranger');
    await start();
    await stop();
    expect(rules()).toMatch(mode === 'nftables' ? /table ip netloom-proxy/ : /chain KUBE-SERVICES/);
    const { removed, left } = await cleanUpProxy({
      netns: node.node.netns,
      signal: new AbortController().signal,
    });
    expect(left).toEqual([]);
    expect(removed.length).toBeGreaterThan(0);
    expect(rules()).toContain('table ip stranger');
    // What iptables makes by itself stays, without rules.
    expect(rules()).not.toMatch(/netloom|KUBE-(?!FIREWALL)/);
    const again = await cleanUpProxy({ netns: node.node.netns, signal: new AbortController().signal });
    expect(again).toEqual({ removed: [], left: [] });
  });
});

test('health check ports, problems and counts of services', async () => {
  await makeNode('nftables');
  // The counts are read every 15 s: here sooner.
  const hurried: Clock = {
    now: realClock.now,
    setTimer: (milliseconds, fire) => realClock.setTimer(milliseconds === 15_000 ? 50 : milliseconds, fire),
  };
  const balanced = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };
  write('web', service(balanced), slice(0));
  await start({}, hurried);
  await until(async () => (await node.status()).healthChecks[0]?.listening === true);
  expect((await node.status()).healthChecks).toEqual([
    { service: 'ns/web', port: 32_000, localEndpoints: 1, listening: true },
  ]);
  write('broken', { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'ns' }, spec: {} });
  await until(async () => (await node.status()).problems.total > 0);
  await until(async () => (await ask()) === 'pod0');
  await until(async () =>
    /^netloom_service_packets_total\{namespace="ns",service="web",port="http",protocol="tcp",direction="in"\} [1-9]/m.test(
      await node.metrics(),
    ),
  );
});

/** Packets count themselves in dynamic sets. */
function withoutCounts(text: string): string {
  return text.replace(/^.*counter packets.*$/gm, '').replace(/expires \S+/g, '');
}
