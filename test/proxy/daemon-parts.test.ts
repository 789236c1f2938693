// The running proxy on a real node, with modes that only remember: its servers, its look at the node, and what ends what.
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Family } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { createFakeProxyMode, type FakeProxyMode } from '../../proxy/fake-proxy-mode.ts';
import type { ProxyMode } from '../../proxy/proxy-mode.ts';
import type { ProxyOptions } from '../../proxy/proxy-options.ts';
import { type RunningProxy, startProxy } from '../../proxy/run-proxy.ts';
import { sampleService, sampleSlice } from '../../proxy/sample-services.ts';
import { type DaemonNode, daemonNode, type HandSource, handSource, silent, until } from './daemon-node.ts';

let node: DaemonNode;
let source: HandSource;
let modes: Map<Family, FakeProxyMode>;
let proxy: RunningProxy | undefined;

beforeEach(() => {
  node = daemonNode();
  source = handSource();
  modes = new Map();
});

afterEach(async () => {
  await stop();
  node[Symbol.dispose]();
});

async function stop(): Promise<void> {
  const stopped = proxy;
  proxy = undefined;
  await stopped?.stop();
}

async function start(
  more: Partial<ProxyOptions> = {},
  open?: (family: Family, mode: FakeProxyMode) => ProxyMode,
): Promise<void> {
  proxy = await startProxy(
    { ...node.options, ...more },
    {
      log: silent,
      netns: node.node.netns,
      source,
      modes: () => ({
        async open(family) {
          const mode = createFakeProxyMode();
          modes.set(family, mode);
          return { mode: open?.(family, mode) ?? mode };
        },
        close() {},
      }),
    },
  );
}

const web = sampleService({ clusterIps: ['10.96.0.10', 'fd00:96::10'] });
const slice = sampleSlice({ endpoints: ['10.244.0.1', '10.244.0.2'], triggeredAt: Date.now() + 60_000 });

describe('what is asked of it', () => {
  test('status, health and metrics, before and after the first load', async () => {
    await start();
    expect(await node.status()).toMatchObject({
      node: 'n1',
      mode: 'nftables',
      ready: false,
      blockers: ['IPv4: the services are not programmed yet', 'IPv6: the services are not programmed yet'],
    });
    source.push({ services: new Map([['ns/web', web]]), slices: new Map([['ns/web-1', slice]]) });
    await until(async () => (await node.status()).ready);
    expect(await node.status()).toMatchObject({
      families: [
        {
          family: 'IPv4',
          synced: true,
          services: 1,
          ports: 1,
          endpoints: 2,
          nodePortAddresses: ['192.0.2.1'],
        },
        {
          family: 'IPv6',
          synced: true,
          services: 1,
          ports: 1,
          endpoints: 0,
          nodePortAddresses: ['2001:db8::1'],
        },
      ],
      problems: { total: 0 },
    });
    const text = await node.metrics();
    for (const line of [
      'netloom_proxy_services{family="IPv4"} 1',
      'netloom_proxy_endpoints{family="IPv4"} 2',
      'netloom_proxy_problems 0',
      'kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv6"} 1',
      'kubeproxy_sync_proxy_rules_service_changes_total 1',
      'kubeproxy_sync_proxy_rules_service_changes_pending 0',
      'kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"} 1',
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
    expect(text).toContain('kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 0');
  });

  test('its ports are in its namespace', async () => {
    await start();
    source.push({});
    await until(async () => (await node.status()).ready);
    // In processes of their own that block us: asked for with what answers in between.
    const { execa } = await import('execa');
    const ask = async (url: string): Promise<string> =>
      (await execa('nsenter', [`--net=${node.node.netns.path}`, process.execPath, '-e', fetchText(url)]))
        .stdout;
    expect(await ask('http://192.0.2.1:10256/healthz')).toMatch(
      /^200 \{"lastUpdated".*"nodeEligible":true,"healthy":true/,
    );
    expect(await ask('http://[2001:db8::1]:10256/livez')).toMatch(/^200 /);
    expect(await ask('http://127.0.0.1:10249/proxyMode')).toBe('200 nftables');
    expect(await ask('http://127.0.0.1:10249/configz')).toBe(
      '200 {"kubeproxy.config.k8s.io":{"mode":"nftables"}}',
    );
    expect(await node.metrics()).toContain('kubeproxy_proxy_healthz_total{code="200"} 1');
  });
});

const fetchText = (url: string): string =>
  `fetch(${JSON.stringify(url)}).then(async (answer) => console.log(answer.status, await answer.text()))`;

test('sysctls of the namespace are set once, as they are wanted', async () => {
  await start();
  const read = (name: string): string =>
    node.node.netns.run(() => readFileSync(`/proc/sys/net/netfilter/${name}`, 'latin1').trim());
  expect([read('nf_conntrack_tcp_timeout_established'), read('nf_conntrack_tcp_timeout_close_wait')]).toEqual(
    ['86400', '3600'],
  );
});

test('an address that comes or goes is a new context, and a look at everything; a pod is not', async () => {
  await start({ nodePortAddresses: [{ kind: 'prefix', prefix: Prefix.parse('192.0.2.0/24') }] });
  source.push({});
  await until(async () => (await node.status()).ready);
  node.ip('link', 'add', 'veth1', 'type', 'veth', 'peer', 'name', 'pod1');
  node.ip('link', 'set', 'veth1', 'up');
  node.ip('link', 'set', 'pod1', 'up');
  node.ip('address', 'add', '192.0.2.9/24', 'dev', 'eth0');
  const addresses = async () => (await node.status()).families[0]?.nodePortAddresses;
  await until(async () => (await addresses())?.length === 2);
  expect(await addresses()).toEqual(['192.0.2.1', '192.0.2.9']);
  await until(() => modes.get(4)?.calls.length === 2);
  expect([modes.get(4)?.calls, modes.get(6)?.calls]).toEqual([['all', 'all'], ['all']]);
  node.ip('address', 'del', '192.0.2.9/24', 'dev', 'eth0');
  await until(async () => (await addresses())?.length === 1);
});

test('a family that cannot be done is left out, and told', async () => {
  await start({}, (family, mode) => {
    if (family === 6) throw new Error('Cannot open nftables: no IPv6');
    return mode;
  });
  source.push({});
  await until(async () => (await node.status()).ready);
  expect(await node.status()).toMatchObject({
    families: [{ family: 'IPv4' }],
    problems: { list: [{ object: 'IPv6', message: 'Cannot open nftables: no IPv6' }] },
  });
});

describe('it does not start', () => {
  test('without any family, and leaves nothing open', async () => {
    const refused = start({}, () => {
      throw new Error('Cannot open nftables: no');
    });
    await expect(refused).rejects.toThrow('Cannot open nftables: no');
    expect(source.isClosed).toBe(true);
  });

  test('beside another one, nor on a port that is taken if that is to be fatal', async () => {
    await start();
    const first = proxy;
    await expect(start()).rejects.toThrow(/another server answers there/);
    await expect(start({ runDirectory: `${node.directory}/run2`, bindHardFail: true })).rejects.toThrow(
      /Cannot serve healthz on "0.0.0.0:10256".*EADDRINUSE/,
    );
    proxy = first;
  });
});

test('stopping closes what it opened, in any state', async () => {
  await start();
  source.push({ services: new Map([['ns/web', web]]) });
  await until(async () => (await node.status()).ready);
  await stop();
  expect(source.isClosed).toBe(true);
  expect([...modes.values()].map(({ isClosed, held }) => [isClosed, held.size])).toEqual([
    [true, 1],
    [true, 1],
  ]);
  await start();
  await stop();
});
