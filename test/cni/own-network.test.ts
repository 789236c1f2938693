// Networks of their own on the real kernel: what a configuration says of its bridge, and what becomes of it, in the words of ip and
// nft. With the agent's handler; that a process for one call does the same, plugin.test.ts shows.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PluginError } from '../../cli/libcni/plugin-error.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { run } from '../agent/cluster.ts';
import { testNetns } from '../sandbox.ts';
import { type CniNode, makeCniNode } from './cni-node.ts';

/** Kernels without CONFIG_BRIDGE_VLAN_FILTERING have bridges that know no VLANs. */
const knowsVlans = ((): boolean => {
  using probed = testNetns();
  const driver = openRouteDriver({ netns: probed.netns });
  const link = { name: 'lan0', detail: { kind: 'bridge', vlanFiltering: true } } as const;
  const refused = driver.apply([{ kind: 'link-add', link }]).some(({ error }) => error !== undefined);
  driver.close();
  return !refused;
})();

let node: CniNode;
beforeEach(async () => {
  node = await makeCniNode({ agent: true });
});
afterEach(async () => {
  await node[Symbol.asyncDispose]();
});

interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly mtu?: number }[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
  readonly routes: readonly object[];
  readonly dns: object;
}

const four = { subnet: '10.88.0.0/24' };
const six = { subnet: 'fd00:88::/64' };

/** A network with these options, and its own directory of addresses. */
function lan(options: object, ipam: object | null = { ranges: [[four]] }) {
  const dataDir = join(node.directory, 'networks');
  return node.runtime({
    config: {
      bridge: 'lan0',
      hairpinMode: false,
      capabilities: { portMappings: true, bandwidth: true, ips: true, mac: true, ipRanges: true },
      ...options,
      ipam: ipam === null ? {} : { type: 'host-local', dataDir, ...ipam },
    },
  });
}

let count = 0;
const podCall = (more: object = {}) => {
  count += 1;
  return { containerId: `own${count}`, netns: node.pod(), ...more };
};

const onNode = (words: string) => run(`nsenter --net=${node.hostNetns} ${words}`);
const inPod = ({ netns }: { readonly netns: string }, words: string) =>
  run(`nsenter --net=${netns} ${words}`);

/** Code and words of a plugin that refuses. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'it did not refuse';
  } catch (error) {
    return error instanceof PluginError ? `${error.code}: ${error.message}` : String(error);
  }
}

async function added(runtime: ReturnType<typeof lan>, call: ReturnType<typeof podCall>): Promise<Result> {
  // What the plugin answered, in the newest shape.
  return (await runtime.add(call)) as Result;
}

describe('the bridge', () => {
  test('is made with a MAC of its own, an address and forwarding, and stays', async () => {
    const runtime = lan({ isDefaultGateway: true, mtu: 1400 }, { ranges: [[four], [six]] });
    const one = podCall();
    const { ips, routes, interfaces } = await added(runtime, one);
    expect(ips.map(({ address, gateway }) => `${address} ${gateway}`)).toEqual([
      '10.88.0.2/24 10.88.0.1',
      'fd00:88::2/64 fd00:88::1',
    ]);
    expect(routes).toEqual([
      { dst: '0.0.0.0/0', gw: '10.88.0.1' },
      { dst: '::/0', gw: 'fd00:88::1' },
    ]);
    expect(interfaces.map(({ mtu }) => mtu)).toEqual([undefined, 1400, 1400]);
    const before = onNode('ip -o link show lan0');
    expect(before).toContain('mtu 1400');
    expect(onNode('ip -o address show lan0')).toMatch(/inet 10\.88\.0\.1\/24 .*\n.*inet6 fd00:88::1\/64/);
    expect(onNode('cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding')).toBe('1\n1\n');
    expect(inPod(one, 'ping -c1 -W1 10.88.0.1')).toContain(' 0% packet loss');
    expect(inPod(one, 'ping -c1 -W1 fd00:88::1')).toContain(' 0% packet loss');
    await runtime.check(one);
    const two = podCall();
    await runtime.add(two);
    expect(inPod(two, 'ping -c1 -W1 10.88.0.2')).toContain(' 0% packet loss');
    await runtime.del(one);
    await runtime.del(two);
    const mac = /link\/ether (\S+)/;
    expect(mac.exec(onNode('ip -o link show lan0'))?.[1]).toBe(mac.exec(before)?.[1]);
    expect(node.veths()).toEqual([]);
  });

  test('another address on it is refused, or replaced by force', async () => {
    onNode('ip link add lan0 type bridge');
    onNode('ip address add 10.88.0.77/24 dev lan0');
    const call = podCall();
    expect(await refusal(lan({ isGateway: true }).add(call))).toMatch(/^7: .*10\.88\.0\.77\/24/);
    expect(node.veths()).toEqual([]);
    await lan({ isGateway: true, forceAddress: true }).add(call);
    expect(onNode('ip -o address show lan0')).not.toContain('10.88.0.77');
    expect(onNode('ip -o address show lan0')).toContain('10.88.0.1/24');
  });

  test('a link of another kind is no bridge', async () => {
    onNode('ip link add lan0 type veth peer name lan1');
    expect(await refusal(lan({}).add(podCall()))).toMatch(/^7: .*"lan0"/);
  });

  test('promiscuous, hairpin, isolation', async () => {
    await lan({ promiscMode: true, portIsolation: true }).add(podCall());
    expect(onNode('ip -d -o link show lan0')).toContain('PROMISC');
    expect(onNode('ip -d -o link show master lan0')).toMatch(/hairpin off .*isolated on/);
    await lan({ bridge: 'lan1', hairpinMode: true }, { ranges: [[{ subnet: '10.89.0.0/24' }]] }).add(
      podCall(),
    );
    expect(onNode('ip -d -o link show master lan1')).toContain('hairpin on');
  });

  (knowsVlans ? test.skip : test)(
    'VLANs on a kernel that has none are refused, and nothing stays',
    async () => {
      expect(await refusal(lan({ vlan: 10 }).add(podCall()))).toMatch(/VLAN filtering/);
      expect({ veths: node.veths(), addresses: node.addresses() }).toEqual({ veths: [], addresses: [] });
    },
  );

  const apart = 'VLANs keep pods apart, and each has its gateway';
  const why = ': this kernel has no bridges with VLAN filtering';
  (knowsVlans ? test : test.skip)(`${apart}${knowsVlans ? '' : why}`, async () => {
    const red = lan({ vlan: 10, isDefaultGateway: true, preserveDefaultVlan: false });
    const blue = node.runtime({
      config: {
        bridge: 'lan0',
        vlan: 20,
        preserveDefaultVlan: false,
        ipam: { type: 'host-local', dataDir: join(node.directory, 'blue'), ranges: [[four]] },
      },
    });
    const [one, two, three] = [podCall(), podCall(), podCall()] as const;
    await red.add(one);
    await red.add(two);
    await blue.add({ ...three });
    expect(inPod(one, 'ping -c1 -W1 10.88.0.1')).toContain(' 0% packet loss');
    expect(inPod(one, 'ping -c1 -W1 10.88.0.3')).toContain(' 0% packet loss');
    expect(run(`nsenter --net=${three.netns} ping -c1 -W1 10.88.0.3`, { quiet: true })).toBe('');
  });
});

describe('layer 2 only', () => {
  test('an interface without addresses', async () => {
    const call = podCall();
    const runtime = lan({}, null);
    const { ips, routes } = await added(runtime, call);
    expect({ ips, routes, addresses: node.addresses() }).toEqual({ ips: [], routes: [], addresses: [] });
    expect(inPod(call, 'ip -o -4 address show eth0')).toBe('');
    await runtime.check(call);
    await runtime.del(call);
    expect(node.veths()).toEqual([]);
  });
});

describe('what the pod gets', () => {
  test('address and MAC that were asked for, in each of the ways', async () => {
    const mac = '02:11:22:33:44:55';
    const runtime = lan({});
    const byCapability = podCall({ capabilityArgs: { ips: ['10.88.0.50/24'], mac } });
    const { ips, interfaces } = await added(runtime, byCapability);
    expect({ address: ips[0]?.address, mac: interfaces[2]?.mac }).toEqual({ address: '10.88.0.50/24', mac });
    expect(inPod(byCapability, 'ip -o link show eth0')).toContain(mac);
    await runtime.check(byCapability);
    const byArgs = podCall({ args: 'IgnoreUnknown=1;IP=10.88.0.51;MAC=02:11:22:33:44:56' });
    expect((await added(runtime, byArgs)).ips[0]?.address).toBe('10.88.0.51/24');
    const taken = podCall({ capabilityArgs: { ips: ['10.88.0.50'] } });
    expect(await refusal(runtime.add(taken))).toMatch(/^7: .*10\.88\.0\.50/);
    expect(node.veths()).toHaveLength(2);
  });

  test('ranges of the runtime, routes and name servers of the configuration', async () => {
    const resolvConf = join(node.directory, 'resolv.conf');
    writeFileSync(resolvConf, 'nameserver 192.0.2.53\nsearch example.org\n');
    const call = podCall({ capabilityArgs: { ipRanges: [[{ subnet: '10.90.0.0/24' }]] } });
    const result = await added(
      lan(
        {},
        {
          routes: [
            { dst: '10.0.0.0/8', mtu: 1300 },
            { dst: '192.0.2.0/24', gw: '10.90.0.9' },
          ],
          resolvConf,
        },
      ),
      call,
    );
    expect(result.ips[0]?.address).toBe('10.90.0.2/24');
    expect(result.routes).toEqual([
      { dst: '10.0.0.0/8', gw: '10.90.0.1', mtu: 1300 },
      { dst: '192.0.2.0/24', gw: '10.90.0.9' },
    ]);
    expect(result.dns).toMatchObject({ nameservers: ['192.0.2.53'], search: ['example.org'] });
    expect(inPod(call, 'ip route show 10.0.0.0/8')).toContain('via 10.90.0.1 dev eth0 mtu 1300');
  });

  test('a second network leaves the default route to the first', async () => {
    const call = podCall();
    await node.runtime().add(call);
    const second = { ...call, ifname: 'net1' };
    const { routes } = await added(lan({ isDefaultGateway: true }), second);
    expect(routes).toEqual([]);
    expect(inPod(call, 'ip route show default')).toMatch(/^default via 10\.244\.1\.1 dev eth0/);
  });

  test('duplicate address detection, if asked for', async () => {
    const call = podCall();
    await lan({ enabledad: true, isGateway: true }, { ranges: [[six]] }).add(call);
    expect(inPod(call, 'ip -6 -o address show dev eth0 scope global')).not.toContain('tentative');
    expect(inPod(call, 'cat /proc/sys/net/ipv6/conf/eth0/accept_dad')).toBe('1\n');
  });
});

describe('rules', () => {
  const elements = () =>
    run(`nsenter --net=${node.hostNetns} nft list table inet netloom-cni`, { quiet: true })
      .split('\n')
      .filter((line) => line.includes('comment'));

  test('masquerading, ports and limits come and go with the pod', async () => {
    const runtime = lan({ isDefaultGateway: true, ipMasq: true });
    const call = podCall({
      capabilityArgs: {
        portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }],
        bandwidth: { ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 },
      },
    });
    await runtime.add(call);
    await runtime.check(call);
    expect(elements().join('\n')).toContain('8080');
    expect(onNode('tc qdisc show')).toContain('tbf');
    onNode('nft flush ruleset');
    expect(await refusal(runtime.check(call))).toMatch(/^102: .*8080/);
    await runtime.del(call);
    expect(elements()).toEqual([]);
    expect(onNode('ip -o link show')).not.toMatch(/ifb|veth/);
  });

  test('a port that another pod has is refused with its name, and nothing stays', async () => {
    const runtime = node.runtime({ config: { capabilities: { portMappings: true } } });
    const capabilityArgs = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
    const first = podCall({
      capabilityArgs,
      args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web',
    });
    await runtime.add(first);
    const second = podCall({ capabilityArgs });
    expect(await refusal(runtime.add(second))).toMatch(/^11: .*8080.*shop\/web/);
    expect(node.veths()).toHaveLength(1);
    await runtime.del(first);
    await runtime.add(second);
  });

  test('a port whose holder is dead is taken over', async () => {
    const runtime = node.runtime({ config: { capabilities: { portMappings: true } } });
    const capabilityArgs = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
    await runtime.add(podCall({ capabilityArgs }));
    // As after a runtime that was killed: the namespace is gone, and with it the pair.
    for (const veth of node.veths()) onNode(`ip link delete ${veth}`);
    await runtime.add(podCall({ capabilityArgs }));
    const owners = elements().flatMap((line) => /comment "([0-9a-f]{32})"/.exec(line)?.[1] ?? []);
    expect(new Set(owners).size).toBe(1);
    expect(node.addresses()).toEqual(['10.244.1.3']);
  });
});

describe("in flannel's place", () => {
  const flannel = () => ({
    type: 'netloom-cni',
    bridge: undefined,
    hairpinMode: undefined,
    delegate: { bridge: 'flan0', hairpinMode: true, isDefaultGateway: true },
    dataDir: join(node.directory, 'flannel'),
  });

  test('delegate and subnet.env make the pod, and the file of flannel is kept', async () => {
    const runtime = node.runtime({ cniVersion: '0.3.1', config: flannel() });
    const call = podCall();
    const result = await added(runtime, call);
    expect(result.ips[0]).toMatchObject({ address: '10.244.1.2/24', gateway: '10.244.1.1' });
    expect(onNode('ip -o link show type veth')).toContain('master flan0');
    const kept = JSON.parse(readFileSync(join(node.directory, 'flannel', call.containerId), 'utf8'));
    expect(kept).toMatchObject({ type: 'bridge', name: 'cbr0', isGateway: true, mtu: 1450 });
    await runtime.del(call);
    expect(existsSync(join(node.directory, 'flannel', call.containerId))).toBe(false);
    expect({ veths: node.veths(), addresses: node.addresses() }).toEqual({ veths: [], addresses: [] });
  });

  test("DEL of a pod that flannel's plugin made", async () => {
    const directory = join(node.directory, 'flannel');
    mkdirSync(directory);
    const dataDir = join(node.directory, 'networks');
    mkdirSync(join(dataDir, 'cbr0'), { recursive: true });
    writeFileSync(join(dataDir, 'cbr0', '10.244.1.9'), 'old\r\neth0');
    const text = { cniVersion: '0.3.1', name: 'cbr0', type: 'bridge', ipam: { type: 'host-local', dataDir } };
    writeFileSync(join(directory, 'old'), JSON.stringify(text));
    const pod = node.pod();
    onNode(`ip link add vethold type veth peer name eth0 netns ${pod}`);
    run(`nsenter --net=${pod} ip address add 10.244.1.9/24 dev eth0`);
    await node.runtime({ cniVersion: '0.3.1', config: flannel() }).del({ containerId: 'old', netns: pod });
    expect({ veths: node.veths(), addresses: node.addresses(), files: readdirSync(directory) }).toEqual({
      veths: [],
      addresses: [],
      files: [],
    });
  });
});

test('in place of loopback', async () => {
  const call = { ...podCall(), ifname: 'lo' };
  const lo = node.runtime();
  await lo.add(call);
  expect(inPod(call, 'ip -o link show lo')).toContain('UP');
  await lo.check(call);
  await lo.del(call);
  expect(inPod(call, 'ip -o link show lo')).not.toContain(',UP');
});
