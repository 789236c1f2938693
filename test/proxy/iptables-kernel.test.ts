// The iptables mode on the real kernel, with iptables-nft and iptables-legacy: loads, restarts, takes over, mends, cleans up.
import { describe, expect, test } from '@jest/globals';
import { watchRules } from '../../kernel/iptables/rule-watch.ts';
import { variantFault } from '../../kernel/iptables/variants.ts';
import { readSysctl } from '../../kernel/sysctl.ts';
import { openIptablesMode } from '../../proxy/iptables/open-iptables-mode.ts';
import { ownTables } from '../../proxy/iptables/own-chains.ts';
import { sampleContext } from '../../proxy/iptables/sample-context.ts';
import { removeLeftovers } from '../../proxy/leftovers/remove-leftovers.ts';
import { samplePort } from '../../proxy/sample-services.ts';
import type { ServicePort } from '../../proxy/service-port.ts';
import { refuseRoot } from '../sandbox.ts';
import { type IptablesNode, iptablesNode } from './iptables-node.ts';
import { ipvsModeRules, kubeProxyRules } from './kube-proxy-rules.ts';

refuseRoot();

const signal = new AbortController().signal;
const context = sampleContext();

const svc1 = { namespace: 'ns1', service: 'svc1', portName: 'p80', clusterIp: '172.30.0.41' };
const svc4 = { namespace: 'ns4', service: 'svc4', portName: 'p80', clusterIp: '172.30.0.44' };

/** The two services that kubeProxyRules has. */
function twoServices(): Map<string, ServicePort> {
  return portMap([
    samplePort({ ...svc1, clusterEndpoints: ['10.180.0.1:80'] }),
    samplePort({
      ...svc4,
      nodePort: 30044,
      clusterEndpoints: ['10.180.0.4:80', '10.180.0.5:80', '10.180.0.6:80'],
    }),
  ]);
}

function portMap(ports: readonly ServicePort[]): Map<string, ServicePort> {
  return new Map(ports.map((port) => [port.key, port]));
}

/** Every kind of rule there is. */
const everything: readonly ServicePort[] = [
  ...twoServices().values(),
  samplePort({
    service: 'udp',
    protocol: 'udp',
    port: 53,
    clusterIp: '172.30.0.50',
    clusterEndpoints: ['10.180.0.1:53'],
  }),
  samplePort({
    service: 'none',
    clusterIp: '172.30.0.51',
    nodePort: 30051,
    externalIps: ['192.0.2.51'],
    loadBalancerIps: ['192.0.2.51'],
  }),
  samplePort({
    service: 'local',
    clusterIp: '172.30.0.52',
    nodePort: 30052,
    loadBalancerIps: ['192.0.2.52'],
    sourceRanges: ['192.168.0.0/24', '0.0.0.0/0'],
    healthCheckNodePort: 30053,
    externalPolicy: 'Local',
    affinitySeconds: 10800,
    clusterEndpoints: ['10.180.0.1:80', '10.180.1.1:80'],
    localEndpoints: ['10.180.0.1:80'],
  }),
  samplePort({ service: 'away', clusterIp: '172.30.0.54', internalPolicy: 'Local', hasAnyEndpoint: true }),
];

const everything6: readonly ServicePort[] = [
  samplePort({
    family: 6,
    nodePort: 30052,
    loadBalancerIps: ['2001:db8::52'],
    sourceRanges: ['2001:db8::/32', '::/0'],
    affinitySeconds: 10,
    clusterEndpoints: ['[fd00:10::1]:80', '[fd00:10::2]:80'],
  }),
  samplePort({ family: 6, service: 'none', clusterIp: 'fd00:96::11', nodePort: 30053 }),
];

for (const variant of ['nft', 'legacy'] as const) {
  const fault = await variantFault(variant);
  if (fault !== undefined) {
    test.skip(`iptables-${variant}: ${fault}`, () => undefined);
    continue;
  }
  const restore = `iptables-${variant}-restore`;
  const ownLines = async (node: IptablesNode) =>
    (await node.run(`iptables-${variant}-save`))
      .split('\n')
      .filter((line) => /KUBE-/.test(line) && !/KUBE-(FIREWALL|KUBELET-CANARY|IPTABLES-HINT)/.test(line));
  const open = async (node: IptablesNode, family: 4 | 6 = 4) =>
    await openIptablesMode({ family, variant, netns: node.node.netns });

  describe(`iptables-${variant}`, () => {
    test.each([4, 6] as const)('IPv%d: loads, finds all right, restarts without a change', async (family) => {
      await using node = await iptablesNode();
      const ports = portMap(family === 4 ? everything : everything6);
      const input = { ports, changed: 'all' as const, context: sampleContext({ family }) };
      const mode = await open(node, family);
      expect((await mode.sync(input, signal)).changes).toBeGreaterThan(30);
      expect(mode.changed()).toBe(false);
      expect(await mode.sync(input, signal)).toEqual({ full: true, changes: 0, failed: new Map() });
      const again = await open(node, family);
      expect(await again.sync(input, signal)).toEqual({ full: true, changes: 0, failed: new Map() });
      const routeLocalnet = readSysctl('net/ipv4/conf/all/route_localnet', { netns: node.node.netns });
      expect(routeLocalnet).toBe(family === 4 ? '1' : '0');
      expect((await again.cleanUp()).length).toBe(3);
      expect(await again.cleanUp()).toEqual([]);
      expect(await ownLines(node)).toEqual([]);
      mode.close();
      again.close();
    });

    test('changes one by one, and then finds all right', async () => {
      await using node = await iptablesNode();
      const mode = await open(node);
      const ports = new Map<string, ServicePort>();
      await mode.sync({ ports, changed: 'all', context }, signal);
      const set = async (port: ServicePort, present = true) => {
        if (present) ports.set(port.key, port);
        else ports.delete(port.key);
        const report = await mode.sync({ ports, changed: new Set([port.key]), context }, signal);
        expect(report).toMatchObject({ full: false, failed: new Map() });
        expect(mode.changed()).toBe(false);
      };
      for (const port of everything) await set(port);
      for (const port of everything)
        await set(samplePort({ ...svc1, service: port.service, clusterIp: '172.30.0.99' }));
      for (const port of everything) await set(port);
      for (const port of everything.slice(2)) await set(port, false);
      expect((await mode.sync({ ports, changed: 'all', context }, signal)).changes).toBe(0);
      mode.close();
    });

    test('a service that iptables refuses is told; the others are programmed', async () => {
      await using node = await iptablesNode();
      const mode = await open(node);
      const bad = samplePort({ service: 'bad', affinitySeconds: -1, clusterEndpoints: ['10.180.0.1:80'] });
      const ports = portMap([...everything, bad]);
      const report = await mode.sync({ ports, changed: 'all', context }, signal);
      expect([...report.failed.keys()]).toEqual([bad.key]);
      expect((await ownLines(node)).join('\n')).toContain('172.30.0.54/32');
      mode.close();
    });

    test("takes over kube-proxy's rules: only what is stale goes, and a connection stays", async () => {
      await using node = await iptablesNode();
      await node.load(restore, kubeProxyRules);
      const connection = node.open('172.30.0.41', 80);
      expect(await connection.echo('before')).toBe('before');
      const mode = await open(node);
      const report = await mode.sync({ ports: twoServices(), changed: 'all', context }, signal);
      // The two chains are declared and deleted.
      expect(report).toMatchObject({ changes: 4 });
      expect((await ownLines(node)).join('\n')).not.toMatch(/AAAAAAAAAAAAAAAA|BBBBBBBBBBBBBBBB/);
      expect(await connection.echo('taken over')).toBe('taken over');
      expect(await node.open('172.30.0.41', 80).echo('new')).toBe('new');
      // Away from this mode: connections that are known stay, new ones find nothing.
      await mode.cleanUp();
      expect(await ownLines(node)).toEqual([]);
      expect(await connection.echo('after')).toBe('after');
      mode.close();
    });

    test('affinity that the kernel knows survives a restart', async () => {
      await using node = await iptablesNode();
      const ports = portMap([
        samplePort({ ...svc1, affinitySeconds: 100, clusterEndpoints: ['10.180.0.1:80'] }),
      ]);
      const mode = await open(node);
      await mode.sync({ ports, changed: 'all', context }, signal);
      expect(await node.open('172.30.0.41', 80).echo('hello')).toBe('hello');
      const known = async () => await node.run('cat', '/proc/net/xt_recent/KUBE-SEP-SXIVWICOYRO3J4NJ');
      expect(await known()).toContain('192.168.0.9');
      const again = await open(node);
      await again.sync({ ports, changed: 'all', context: sampleContext({ masqueradeAll: true }) }, signal);
      expect(await known()).toContain('192.168.0.9');
      mode.close();
      again.close();
    });

    test('leftovers of kube-proxy when another mode runs: nothing of it stays', async () => {
      await using node = await iptablesNode();
      const { netns } = node.node;
      await node.load(restore, kubeProxyRules);
      await node.load(restore, ipvsModeRules);
      await node.run('nft', 'add table ip kube-proxy; add table ip netloom-proxy; add table ip other');
      const { removed, left } = await removeLeftovers({ keep: 'nftables', netns, families: [4, 6], signal });
      expect(await ownLines(node)).toEqual([]);
      expect((await node.run('nft', 'list tables')).match(/ip \S*(proxy|other)/g)).toEqual([
        'ip netloom-proxy',
        'ip other',
      ]);
      expect(removed).toContain('nftables table ip kube-proxy');
      expect(removed.join('\n')).toMatch(
        new RegExp(`IPv4 iptables-${variant}, table nat: 3 jumps; chains .*of services`),
      );
      expect(left).toEqual([]);
      const again = await removeLeftovers({ keep: 'nftables', netns, families: [4, 6], signal });
      expect(again).toEqual({ removed: [], left: [] });
    });

    test('leftovers of other modes when this one runs', async () => {
      await using node = await iptablesNode();
      const { netns } = node.node;
      await node.load(restore, ipvsModeRules);
      const other = variant === 'nft' ? 'legacy' : 'nft';
      const hasOther = (await variantFault(other)) === undefined;
      if (hasOther) await node.load(`iptables-${other}-restore`, kubeProxyRules);
      await node.run('nft', 'add table ip kube-proxy; add table ip netloom-proxy');
      const mode = await open(node);
      const input = { ports: twoServices(), changed: 'all' as const, context };
      await mode.sync(input, signal);
      const { removed } = await removeLeftovers({ keep: 'iptables', variant, netns, families: [4], signal });
      expect((await node.run('nft', 'list tables')).match(/ip \S*proxy/g)).toBeNull();
      expect(removed.join('\n')).toContain('KUBE-IPVS-OUT-FILTER');
      expect((await ownLines(node)).join('\n')).not.toMatch(/IPVS|LOAD-BALANCER|NODE-PORT/);
      if (hasOther) expect((await node.run(`iptables-${other}-save`)).match(/KUBE-SERVICES/)).toBeNull();
      expect((await mode.sync(input, signal)).changes).toBe(0);
      mode.close();
    });
  });
}

const nftFault = await variantFault('nft');
const describeNft = nftFault === undefined ? describe : describe.skip;

describeNft('changes by others, iptables-nft', () => {
  const iptables = (...args: readonly string[]): readonly [string, ...string[]] => ['iptables-nft', ...args];

  test.each<readonly [string, readonly [string, ...string[]]]>([
    [
      'a jump',
      iptables(
        '-t',
        'nat',
        '-D',
        'PREROUTING',
        '-m',
        'comment',
        '--comment',
        'kubernetes service portals',
        '-j',
        'KUBE-SERVICES',
      ),
    ],
    ['all of FORWARD', iptables('-F', 'FORWARD')],
    ['all of nat', iptables('-t', 'nat', '-F')],
    ['the services', iptables('-t', 'nat', '-F', 'KUBE-SERVICES')],
    ["a service's chain", iptables('-t', 'nat', '-F', 'KUBE-SVC-XPGD46QRK7WJZT7O')],
    ['an endpoint', iptables('-t', 'nat', '-D', 'KUBE-SEP-SXIVWICOYRO3J4NJ', '2')],
    ['a rule put before', iptables('-t', 'nat', '-I', 'KUBE-MARK-MASQ', '-j', 'RETURN')],
    ['refusals', iptables('-F', 'KUBE-SERVICES')],
    ['a canary', iptables('-t', 'mangle', '-X', 'KUBE-PROXY-CANARY')],
    ['a table', ['nft', 'delete table ip nat']],
    ['everything', ['nft', 'flush ruleset']],
  ])('%s: heard and mended', async (_, command) => {
    await using node = await iptablesNode();
    const mode = await openIptablesMode({ family: 4, variant: 'nft', netns: node.node.netns });
    const input = { ports: portMap(everything), changed: 'all' as const, context };
    await mode.sync(input, signal);
    const before = await node.run('iptables-nft-save');
    expect(mode.changed()).toBe(false);
    await node.run(...command);
    expect(mode.changed()).toBe(true);
    expect((await mode.sync(input, signal)).changes).toBeGreaterThan(0);
    expect(mode.changed()).toBe(false);
    const lines = (text: string) =>
      text
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .sort();
    expect(lines(await node.run('iptables-nft-save'))).toEqual(lines(before));
    mode.close();
  });

  test('what does not concern us is not heard', async () => {
    await using node = await iptablesNode();
    const mode = await openIptablesMode({ family: 4, variant: 'nft', netns: node.node.netns });
    await mode.sync({ ports: portMap(everything), changed: 'all', context }, signal);
    const commands: readonly (readonly [string, ...string[]])[] = [
      iptables('-t', 'nat', '-N', 'CNI-1'),
      iptables('-t', 'nat', '-A', 'POSTROUTING', '-s', '10.180.0.1', '-j', 'CNI-1'),
      iptables('-t', 'nat', '-D', 'POSTROUTING', '-s', '10.180.0.1', '-j', 'CNI-1'),
      iptables('-t', 'nat', '-X', 'CNI-1'),
      iptables('-I', 'INPUT', '-j', 'ACCEPT'),
      ['ip6tables-nft', '-t', 'nat', '-N', 'KUBE-SERVICES'],
      ['nft', 'add table ip mine; add chain ip mine KUBE-X; delete table ip mine'],
    ];
    for (const command of commands) await node.run(...command);
    expect(mode.changed()).toBe(false);
    mode.close();
  });

  test('a change by others while we change something is not taken for ours', async () => {
    await using node = await iptablesNode();
    const watch = watchRules({ family: 4, netns: node.node.netns, tables: ownTables, mark: 'KUBE-' });
    const ours = () =>
      node.load(
        'iptables-nft-restore',
        '*nat\n:KUBE-X - [0:0]\n-A KUBE-X -j RETURN\nCOMMIT\n*filter\n:KUBE-X - [0:0]\n-A KUBE-X -j RETURN\nCOMMIT\n',
      );
    await watch.own(['nat', 'filter'], ours);
    expect(watch.changed()).toBe(false);
    await watch.own(['nat', 'filter'], async () => {
      await ours();
      await node.run('iptables-nft', '-t', 'nat', '-A', 'KUBE-X', '-j', 'ACCEPT');
    });
    expect(watch.changed()).toBe(true);
    watch.forget();
    expect(watch.changed()).toBe(false);
    // Somebody else's business at the same time is not ours.
    await watch.own(['nat', 'filter'], async () => {
      await ours();
      await node.run('nft', 'add table ip mine');
    });
    expect(watch.changed()).toBe(false);
    watch.close();
  });
});
