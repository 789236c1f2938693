// Our plugin in lists with the reference's: before them, behind them and in between. Each list is also run with the reference alone,
// which shows that the tests ask for nothing but what everybody does.
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PluginConfig } from '../../cli/libcni/config-list.ts';
import { addressesOf, parseResult } from '../../cli/libcni/result.ts';
import { type ChainNode, makeChainNode, network } from './chain-node.ts';
import { referenceDirectory } from './reference-plugins.ts';

const gateway = '10.98.0.1';
const hostPort = 18080;
const capabilityArgs = {
  portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }],
  bandwidth: {
    ingressRate: 80_000_000,
    ingressBurst: 8_000_000,
    egressRate: 80_000_000,
    egressBurst: 8_000_000,
  },
};
const capabilities = { portMappings: true, bandwidth: true };

const bridgeOptions = (directory: string): PluginConfig => ({
  bridge: 'chain0',
  isGateway: true,
  isDefaultGateway: true,
  ipMasq: true,
  hairpinMode: true,
  ipam: {
    type: 'host-local',
    dataDir: join(directory, 'networks'),
    ranges: [[{ subnet: '10.98.0.0/24', gateway }]],
  },
});
const ours = (directory: string): PluginConfig => ({
  type: 'netloom-cni',
  runDirectory: join(directory, 'run'),
  stateDirectory: join(directory, 'state'),
  subnetFile: join(directory, 'subnet.env'),
});
const bridge = (directory: string): PluginConfig => ({ type: 'bridge', ...bridgeOptions(directory) });
const portmap: PluginConfig = { type: 'portmap', capabilities: { portMappings: true } };
const bandwidth: PluginConfig = { type: 'bandwidth', capabilities: { bandwidth: true } };
/** Its CHECK (1.1.1) does not know IFNAME in a key. */
const tuning: PluginConfig = { type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.arp_filter': '1' } };
const firewall: PluginConfig = { type: 'firewall' };

interface Subject {
  readonly name: string;
  /** Makes the interface. */
  readonly first: (directory: string) => PluginConfig;
  /** Makes the interface, publishes ports and limits. */
  readonly all: (directory: string) => readonly PluginConfig[];
  /** Publishes ports and limits for an interface that is there. */
  readonly chained: (directory: string) => readonly PluginConfig[];
}

const subjects: readonly Subject[] = [
  {
    name: 'the reference alone',
    first: bridge,
    all: (directory) => [bridge(directory), portmap, bandwidth],
    chained: () => [portmap, bandwidth],
  },
  {
    name: 'netloom-cni',
    first: (directory) => ({ ...ours(directory), ...bridgeOptions(directory) }),
    all: (directory) => [{ ...ours(directory), ...bridgeOptions(directory), capabilities }],
    chained: (directory) => [{ ...ours(directory), capabilities }],
  },
];

const lists: readonly {
  readonly name: string;
  readonly plugins: (subject: Subject, directory: string) => readonly PluginConfig[];
}[] = [
  {
    name: 'before portmap, bandwidth, tuning and firewall',
    plugins: ({ first }, directory) => [first(directory), portmap, bandwidth, tuning, firewall],
  },
  {
    name: 'with ports and limits, before tuning and firewall',
    plugins: ({ all }, directory) => [...all(directory), tuning, firewall],
  },
  {
    name: 'between bridge and the others',
    plugins: ({ chained }, directory) => [bridge(directory), ...chained(directory), tuning, firewall],
  },
  {
    name: 'behind all others',
    plugins: ({ chained }, directory) => [bridge(directory), tuning, firewall, ...chained(directory)],
  },
];

/** What the reference (1.1.1) speaks; its firewall knows nothing older than 0.4.0. */
const versions = ['0.3.1', '0.4.0', '1.0.0'];
const listFor = (cniVersion: string, plugins: readonly PluginConfig[]) => ({
  cniVersion,
  plugins: cniVersion === '0.3.1' ? plugins.filter((plugin) => plugin !== firewall) : plugins,
});

const subjectsHere = referenceDirectory === undefined ? [] : subjects;
const nothing = { links: [], addresses: [], rules: [] };

describe.each(subjectsHere)('$name', (subject) => {
  let node: ChainNode;
  beforeEach(() => {
    node = makeChainNode();
  });
  afterEach(async () => {
    await node[Symbol.asyncDispose]();
  });

  describe.each(lists)('$name', ({ plugins }) => {
    test.each(versions)('version %s: ADD, CHECK, DEL three times', async (cniVersion) => {
      const list = listFor(cniVersion, plugins(subject, node.directory));
      const runtime = node.runtime(list);
      const call = { containerId: 'one', netns: node.pod(), capabilityArgs };
      const result = parseResult(await runtime.add(call));
      expect(result.cniVersion).toBe(cniVersion);
      // All that the chain made is in the last result: the bridge, the pair.
      expect(result.interfaces).toMatchObject([
        { name: 'chain0' },
        { name: expect.stringMatching(/^veth/) },
        { name: 'eth0', sandbox: call.netns },
        ...(result.interfaces ?? []).slice(3),
      ]);
      expect(result.ips).toMatchObject([{ address: '10.98.0.2/24', gateway, interface: 2 }]);
      await node.serve(call.netns);
      expect(await node.connect('10.98.0.2', 80)).toBe('hello');
      expect(await node.connect(gateway, hostPort)).toBe('hello');
      expect(await node.run('tc qdisc show')).toContain('qdisc tbf');
      expect(await node.run('cat /proc/sys/net/ipv4/conf/eth0/arp_filter', call.netns)).toBe('1\n');
      if (list.plugins.includes(firewall)) expect(await node.run('iptables -S')).toContain('-s 10.98.0.2/32');
      if (cniVersion !== '0.3.1') {
        // The CHECK of Debian's portmap fails whatever there is: it also wants rules for IPv6.
        const checked = list.plugins.filter((plugin) => plugin !== portmap);
        await node.runtime({ ...list, plugins: checked }).check(call);
      }
      for (let time = 0; time < 3; time++) await runtime.del(call);
      expect(await node.remains(/10\.98\.0\.2|18080/)).toEqual(nothing);
    });

    test('DEL without the namespace and without a result, as after a crash', async () => {
      const list = listFor('1.0.0', plugins(subject, node.directory));
      const call = { containerId: 'one', netns: node.pod(), capabilityArgs };
      await node.runtime(list).add(call);
      await node.losePod(call.netns);
      await node.runtime(list, { cache: false }).del({ ...call, netns: '' });
      // The reference's bridge and firewall leave rules by the pod's address then.
      expect(await node.remains(/18080/)).toEqual(nothing);
    });

    test('two pods, and one goes', async () => {
      const runtime = node.runtime(listFor('1.0.0', plugins(subject, node.directory)));
      const calls = [hostPort, hostPort + 1].map((port, place) => ({
        containerId: `c${place}`,
        netns: node.pod(),
        capabilityArgs: {
          ...capabilityArgs,
          portMappings: [{ hostPort: port, containerPort: 80, protocol: 'tcp' }],
        },
      }));
      // One after the other: the reference's firewall loses a race for its chain.
      const results: unknown[] = [];
      for (const call of calls) results.push(await runtime.add(call));
      expect(new Set(results.flatMap(addressesOf)).size).toBe(2);
      for (const { netns } of calls) await node.serve(netns);
      const [one, two] = calls;
      if (one === undefined || two === undefined) throw new RangeError('There are two calls');
      await runtime.del(one);
      await expect(node.connect(gateway, hostPort)).rejects.toThrow();
      expect(await node.connect(gateway, hostPort + 1)).toBe('hello');
      await runtime.del(two);
      expect(await node.remains(/10\.98\.0\.[23]\b|1808[01]/)).toEqual(nothing);
    });
  });

  test("containerd's way: loopback at the same time, in a list of its own", async () => {
    const runtime = node.runtime({ cniVersion: '1.0.0', plugins: subject.all(node.directory) });
    const loopback = node.runtime({ cniVersion: '0.3.1', plugins: [{ type: 'loopback' }] });
    const call = { containerId: 'one', netns: node.pod(), capabilityArgs };
    const [result] = await Promise.all([runtime.add(call), loopback.add({ ...call, ifname: 'lo' })]);
    expect(addressesOf(result)).toEqual(['10.98.0.2/24']);
    expect(await node.run('ip -o addr show lo', call.netns)).toContain('127.0.0.1/8');
    await Promise.all([runtime.del(call), loopback.del({ ...call, ifname: 'lo' })]);
    expect(await node.remains(/10\.98\.0\.2|18080/)).toEqual(nothing);
  });

  test('a plugin behind that fails leaves nothing after DEL', async () => {
    const broken = { type: 'tuning', sysctl: { 'kernel.hostname': 'x' } };
    const runtime = node.runtime({
      cniVersion: '1.0.0',
      plugins: [...subject.all(node.directory), broken],
    });
    const call = { containerId: 'one', netns: node.pod(), capabilityArgs };
    await expect(runtime.add(call)).rejects.toThrow('CNI plugin "tuning" failed to ADD "one"');
    await runtime.del(call);
    expect(await node.remains(/10\.98\.0\.2|18080/)).toEqual(nothing);
    await node.runtime({ cniVersion: '1.0.0', plugins: subject.all(node.directory) }).add(call);
  });
});

if (referenceDirectory === undefined)
  test.skip(`lists of network "${network}": there are no reference plugins`, () => undefined);
