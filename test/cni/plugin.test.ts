import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { Netns, removeNetns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { type CniNode, makeCniNode } from './cni-node.ts';

interface Result {
  readonly cniVersion: string;
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly {
    readonly address: string;
    readonly version?: string;
    readonly interface: number;
  }[];
  readonly routes: readonly { readonly dst: string; readonly gw: string }[];
}

async function inNetns(path: string, ...command: readonly [string, ...string[]]): Promise<string> {
  using netns = Netns.open(path);
  return (await execute(command, { netns })).stdout;
}

const ping = (netns: string, address: string) =>
  inNetns(netns, 'ping', '-c1', '-W2', address.replace(/\/.*/, ''));

describe.each([
  { name: 'through the agent', agent: true },
  { name: 'without the agent', agent: false },
])('netloom-cni $name', ({ agent }) => {
  let node: CniNode;
  beforeEach(async () => {
    node = await makeCniNode({ agent });
  });
  afterEach(async () => {
    await node[Symbol.asyncDispose]();
  });

  const isClean = () =>
    expect({ veths: node.veths(), addresses: node.addresses() }).toEqual({ veths: [], addresses: [] });

  test.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
    'version %s: ADD, CHECK, DEL',
    async (cniVersion) => {
      const runtime = node.runtime({ cniVersion });
      const call = { containerId: 'one', netns: node.pod() };
      const result = (await runtime.add(call)) as Result;
      expect(result).toMatchObject({
        cniVersion,
        interfaces: [{ name: 'cni0' }, { name: node.veths()[0] }, { name: 'eth0', sandbox: call.netns }],
        ips: [{ address: '10.244.1.2/24', gateway: '10.244.1.1', interface: 2 }],
        routes: [{ dst: '0.0.0.0/0', gw: '10.244.1.1' }],
      });
      expect(result.ips[0]?.version).toBe(cniVersion < '1.0.0' ? '4' : undefined);
      if (cniVersion < '0.4.0') await expect(runtime.check(call)).rejects.toMatchObject({ code: 1 });
      else await runtime.check(call);
      await runtime.del(call);
      isClean();
    },
  );

  test('what ADD makes is as its result says, and carries packets', async () => {
    const runtime = node.runtime();
    const pods = [node.pod(), node.pod()] as const;
    const [one, two] = [
      (await runtime.add({ containerId: 'one', netns: pods[0] })) as Result,
      (await runtime.add({ containerId: 'two', netns: pods[1] })) as Result,
    ];
    expect(await inNetns(pods[0], 'ip', '-br', 'addr', 'show', 'lo')).toContain('127.0.0.1/8');
    expect(await inNetns(pods[0], 'ip', 'link', 'show', 'eth0')).toMatch(/mtu 1450 [\s\S]*state UP/);
    expect(await inNetns(pods[0], 'ip', 'link', 'show', 'eth0')).toContain(one.interfaces[2]?.mac);
    expect(await inNetns(pods[0], 'ip', 'route')).toContain('default via 10.244.1.1 dev eth0');
    const host = one.interfaces[1]?.name ?? '';
    expect(await inNetns(node.hostNetns, 'ip', '-d', 'link', 'show', host)).toMatch(
      /master cni0 [\s\S]*hairpin on/,
    );
    expect(await inNetns(node.hostNetns, 'ip', 'link', 'show', host)).toContain(one.interfaces[1]?.mac);
    expect(await inNetns(pods[0], 'cat', '/proc/sys/net/ipv6/conf/eth0/accept_ra')).toBe('0\n');
    await ping(pods[0], '10.244.1.1');
    await ping(pods[0], two.ips[0]?.address ?? '');
    await ping(pods[1], one.ips[0]?.address ?? '');
    await ping(node.hostNetns, two.ips[0]?.address ?? '');
  });

  test('DEL three times, then with an empty, a missing and a wrong namespace', async () => {
    const runtime = node.runtime();
    const call = { containerId: 'one', netns: node.pod() };
    await runtime.add(call);
    for (let i = 0; i < 3; i++) await runtime.del(call);
    isClean();
    for (const netns of ['', '/etc/hostname', node.hostNetns]) {
      await runtime.add(call);
      await runtime.del({ ...call, netns });
      isClean();
    }
    await runtime.add(call);
    removeNetns(call.netns);
    await runtime.del(call);
    isClean();
  });

  test('ADD twice is refused, and the first stays', async () => {
    const runtime = node.runtime();
    const call = { containerId: 'one', netns: node.pod() };
    const { ips } = (await runtime.add(call)) as Result;
    await expect(runtime.add(call)).rejects.toMatchObject({ code: 101, message: /has it already/ });
    await expect(runtime.add({ ...call, containerId: 'other' })).rejects.toMatchObject({
      code: 101,
      message: /the pod's namespace has one of this name/,
    });
    await runtime.check(call);
    expect(node.addresses()).toEqual([ips[0]?.address.replace('/24', '')]);
    await ping(call.netns, '10.244.1.1');
  });

  test("the host's own namespace, and what is none, are refused before anything is touched", async () => {
    const runtime = node.runtime();
    for (const netns of [node.hostNetns, '/etc/hostname', '/run/netns/not-there', node.directory]) {
      await expect(runtime.add({ containerId: 'one', netns })).rejects.toMatchObject({ code: 8 });
    }
    isClean();
    expect(existsSync(join(node.directory, 'networks'))).toBe(false);
  });

  test('ten at once get ten addresses', async () => {
    const runtime = node.runtime();
    const calls = Array.from({ length: 10 }, (_, i) => ({ containerId: `c${i}`, netns: node.pod() }));
    const results = (await Promise.all(calls.map((call) => runtime.add(call)))) as Result[];
    expect(new Set(results.map(({ ips }) => ips[0]?.address)).size).toBe(10);
    expect(node.veths()).toHaveLength(10);
    for (const { netns } of calls) await ping(netns, '10.244.1.1');
    await Promise.all(calls.map((call) => runtime.del(call)));
    isClean();
  });

  test('two ADDs of one container at once: one is refused', async () => {
    const runtime = node.runtime();
    const call = { containerId: 'one', netns: node.pod() };
    const outcomes = await Promise.allSettled([runtime.add(call), runtime.add(call)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    // Under way, or done already.
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect([11, 101]).toContain(outcome.reason.code);
    await runtime.check(call);
    await runtime.del(call);
    isClean();
  });

  test('CHECK says what is not as ADD left it', async () => {
    const runtime = node.runtime();
    const call = { containerId: 'one', netns: node.pod() };
    const { interfaces } = (await runtime.add(call)) as Result;
    const host = interfaces[1]?.name ?? '';
    const change = async (netns: string, command: string, back: string, words: RegExp) => {
      await inNetns(netns, ...(command.split(' ') as [string]));
      await expect(runtime.check(call)).rejects.toMatchObject({ code: 102, message: words });
      for (const line of back.split(' && ')) await inNetns(netns, ...(line.split(' ') as [string]));
      await runtime.check(call);
    };
    await change(
      node.hostNetns,
      `ip link set ${host} nomaster`,
      `ip link set ${host} master cni0`,
      /not a port/,
    );
    await change(node.hostNetns, `ip link set ${host} down`, `ip link set ${host} up`, /is down/);
    await change(
      call.netns,
      'ip route del default',
      'ip route add default via 10.244.1.1',
      /route to 0.0.0.0\/0/,
    );
    await change(
      call.netns,
      'ip addr del 10.244.1.2/24 dev eth0',
      'ip addr add 10.244.1.2/24 dev eth0 && ip route add default via 10.244.1.1',
      /address 10.244.1.2\/24 is missing/,
    );
    await inNetns(call.netns, 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:01');
    await expect(runtime.check(call)).rejects.toMatchObject({
      message: /MAC address 02:00:00:00:00:01, not/,
    });
    await inNetns(call.netns, 'ip', 'link', 'del', 'eth0');
    await expect(runtime.check(call)).rejects.toMatchObject({ message: /is missing on the host/ });
    await runtime.del(call);
    isClean();
  });

  test('GC removes what is not in its list, and nothing without one', async () => {
    const runtime = node.runtime();
    // Without its results it leaves all to the plugin.
    const collector = node.runtime({ cache: false });
    const calls = ['a', 'b', 'c'].map((containerId) => ({ containerId, netns: node.pod() }));
    for (const call of calls) await runtime.add(call);
    await collector.gc(undefined);
    expect(node.veths()).toHaveLength(3);
    await collector.gc([{ containerID: 'b', ifname: 'eth0' }]);
    expect(node.addresses()).toEqual(['10.244.1.3']);
    expect(node.veths()).toHaveLength(1);
    await collector.gc(null);
    isClean();
  });

  test('a bridge that is missing: try again later, and nothing stays', async () => {
    const driver = openRouteDriver({ netns: Netns.open(node.hostNetns) });
    driver.apply([{ kind: 'link-delete', link: { name: 'cni0', detail: { kind: 'bridge' } } }]);
    driver.close();
    const runtime = node.runtime();
    await runtime.status();
    await expect(runtime.add({ containerId: 'one', netns: node.pod() })).rejects.toMatchObject({ code: 11 });
    isClean();
  });

  test('dual stack: both addresses work at once', async () => {
    await using dual = await makeCniNode({ agent, families: 2 });
    const runtime = dual.runtime();
    const pods = [dual.pod(), dual.pod()] as const;
    const one = (await runtime.add({ containerId: 'one', netns: pods[0] })) as Result;
    expect(one.ips.map(({ address }) => address)).toEqual(['10.244.1.2/24', 'fd00:244:1::2/64']);
    await runtime.add({ containerId: 'two', netns: pods[1] });
    await runtime.check({ containerId: 'two', netns: pods[1] });
    expect(await inNetns(pods[1], 'ip', '-6', 'addr', 'show', 'eth0', 'scope', 'global')).not.toContain(
      'tentative',
    );
    await ping(pods[1], 'fd00:244:1::1');
    await ping(pods[1], 'fd00:244:1::2');
    await ping(pods[1], '10.244.1.2');
    for (const [i, netns] of pods.entries())
      await runtime.del({ containerId: ['one', 'two'][i] ?? '', netns });
    expect(dual.addresses()).toEqual([]);
  });

  test('state is as host-local keeps it', async () => {
    await node.runtime().add({ containerId: 'one', netns: node.pod() });
    expect(readFileSync(join(node.directory, 'networks/cbr0/10.244.1.2'), 'utf8')).toBe('one\r\neth0');
  });
});

test('the agent and plugins that do not find it share one state', async () => {
  await using node = await makeCniNode({ agent: true });
  const lonely = node.runtime({ config: { runDirectory: join(node.directory, 'elsewhere') } });
  const calls = Array.from({ length: 8 }, (_, i) => ({ containerId: `c${i}`, netns: node.pod() }));
  const runtimeOf = (i: number) => (i % 2 === 0 ? lonely : node.runtime());
  const results = (await Promise.all(calls.map((call, i) => runtimeOf(i).add(call)))) as Result[];
  expect(new Set(results.map(({ ips }) => ips[0]?.address)).size).toBe(8);
  expect(node.addresses()).toHaveLength(8);
  // Each takes away what the other made.
  await Promise.all(calls.map((call, i) => runtimeOf(i + 1).check(call)));
  await Promise.all(calls.map((call, i) => runtimeOf(i + 1).del(call)));
  expect({ veths: node.veths(), addresses: node.addresses() }).toEqual({ veths: [], addresses: [] });
});

test('an ADD that is killed leaves nothing that its DEL does not take away', async () => {
  await using node = await makeCniNode({ agent: false });
  const runtime = node.runtime();
  const locks = join(node.directory, 'run', 'locks');
  const isWorking = () => existsSync(locks) && readdirSync(locks).length > 0;
  for (let kill = 0; kill < 12; kill++) {
    const call = { containerId: `c${kill}`, netns: node.pod() };
    const execution = runtime.start('ADD', call);
    let ended = false;
    const done = execution.done.finally(() => {
      ended = true;
    });
    // What a kill can leave is made in the few milliseconds while the lock is held: it falls somewhere into them.
    while (!isWorking() && !ended) await new Promise(setImmediate);
    if (kill > 0) await new Promise((resolve) => setTimeout(resolve, kill));
    execution.kill();
    await done;
    await runtime.del(call);
    expect({ veths: node.veths(), addresses: node.addresses() }).toEqual({ veths: [], addresses: [] });
    expect(readdirSync(locks)).toEqual([]);
  }
});
