// The nftables mode on the real kernel: what it loads, takes over and mends there, and connections through it. That all modes treat
// all packets alike is another test's.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { tableKey } from '../../kernel/nft/objects.ts';
import { Poller } from '../../kernel/poller.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { IpAddress } from '../../net/address.ts';
import type { NftablesMode } from '../../proxy/nftables/nftables-mode.ts';
import { openNftablesMode } from '../../proxy/nftables/open-nftables-mode.ts';
import { proxyTableId } from '../../proxy/nftables/proxy-table.ts';
import { sampleContext, tableMeaning } from '../../proxy/nftables/sample-node.ts';
import type { ModeInput, SyncReport } from '../../proxy/proxy-mode.ts';
import { samplePort } from '../../proxy/sample-services.ts';
import type { ServicePort } from '../../proxy/service-port.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

refuseRoot();

const never = new AbortController().signal;

function sync(
  mode: NftablesMode,
  ports: readonly ServicePort[],
  rest: Partial<Pick<ModeInput, 'changed' | 'context'>> = {},
): Promise<SyncReport> {
  const family = ports[0]?.family ?? 4;
  return mode.sync(
    {
      ports: new Map(ports.map((port) => [port.key, port])),
      changed: 'all',
      context: sampleContext({ family }),
      ...rest,
    },
    never,
  );
}

function nft(made: TestNetns, args: readonly string[], input = '') {
  return execute(['nft', ...args], { netns: made.netns, input }).then(({ stdout }) => stdout);
}

function meaning(made: TestNetns, family: 4 | 6 = 4): readonly string[] {
  const driver = openNftDriver({ netns: made.netns });
  const id = proxyTableId(family);
  const table = driver.read([id]).state.get(tableKey(id));
  driver.close();
  return table === undefined ? [] : tableMeaning(table);
}

/** Of every kind: policies, affinity, ranges, no endpoints. */
function service(i: number, family: 4 | 6 = 4): ServicePort {
  const pod = (host: number) =>
    family === 4 ? `10.244.${i % 200}.${host}:8080` : `[fd00:10:244::${i.toString(16)}:${host}]:8080`;
  const endpoints = Array.from({ length: i % 5 }, (_, e) => pod(e + 1));
  const ip = (base: string) => String(IpAddress.parse(base).plus(i));
  return samplePort({
    family,
    service: `svc-${i}`,
    protocol: i % 7 === 0 ? 'udp' : 'tcp',
    clusterIp: ip(family === 4 ? '10.96.0.10' : 'fd00:96::10'),
    nodePort: i % 3 === 0 ? 30000 + i : undefined,
    externalIps: i % 4 === 0 ? [ip(family === 4 ? '198.18.0.1' : '2001:db8:5::1')] : [],
    loadBalancerIps: i % 6 === 0 ? [ip(family === 4 ? '203.0.113.1' : '2001:db8:6::1')] : [],
    sourceRanges: i % 12 === 0 ? [family === 4 ? '198.51.100.0/24' : '2001:db8:7::/48'] : undefined,
    affinitySeconds: i % 8 === 0 ? 10800 : undefined,
    internalPolicy: i % 9 === 0 ? 'Local' : 'Cluster',
    externalPolicy: i % 10 === 0 ? 'Local' : 'Cluster',
    clusterEndpoints: endpoints,
    localEndpoints: endpoints.slice(0, 2),
  });
}

describe.each([4, 6] as const)('the table, IPv%i', (family) => {
  const services = Array.from({ length: 200 }, (_, i) => service(i, family));

  test('a restart changes nothing; what others did is noticed and mended; nft lists it and loads the listing', async () => {
    using made = testNetns();
    const poller = new Poller();
    const open = () => openNftablesMode({ family, netns: made.netns, poller, serviceCounters: true });
    let mode = open();
    const first = await sync(mode, services);
    expect([...first.failed.values()]).toEqual([]);
    expect(await sync(mode, services)).toMatchObject({ changes: 0 });
    expect(mode.changed()).toBe(false);
    const wanted = meaning(made, family);

    mode.close();
    mode = open();
    expect(await sync(mode, services)).toEqual({ full: true, changes: 0, failed: new Map() });
    await nft(made, ['add', 'table', 'ip', 'theirs']);
    expect(mode.changed()).toBe(false);

    const listing = await nft(made, ['list', 'ruleset']);
    await nft(made, ['flush', 'ruleset']);
    expect(mode.changed()).toBe(true);
    expect(await sync(mode, services)).toMatchObject({ full: true, failed: new Map() });
    expect(meaning(made, family)).toEqual(wanted);
    expect(mode.changed()).toBe(false);

    // The listing is a ruleset that can be taken over as it is.
    await nft(made, ['flush', 'ruleset']);
    await nft(made, ['-f', '-'], listing);
    expect(mode.changed()).toBe(true);
    // (But nft 1.0.6 puts the data of an IPv6 affinity entry over a part of its key, which is mended.)
    expect(await sync(mode, services)).toMatchObject(family === 4 ? { changes: 0 } : { failed: new Map() });
    expect(meaning(made, family)).toEqual(wanted);

    const table = proxyTableId(family);
    for (const damage of [
      'flush map TABLE endpoints',
      'flush chain TABLE dispatch',
      'flush set TABLE hairpin',
      'add chain TABLE theirs',
    ]) {
      await nft(made, damage.replace('TABLE', tableKey(table)).split(' '));
      expect({ damage, changed: mode.changed() }).toEqual({ damage, changed: true });
      await sync(mode, services);
      expect(meaning(made, family)).toEqual(wanted);
    }
    expect(await mode.cleanUp()).toEqual([`deleted table "${tableKey(table)}"`]);
    expect(await nft(made, ['list', 'tables'])).toBe('table ip theirs\n');
    mode.close();
    await poller.close();
  });

  test('services that come, change and go leave what the last ones would have made', async () => {
    using made = testNetns();
    const mode = openNftablesMode({ family, netns: made.netns });
    const states = [0, 60, 20, 100, 7].map((from) =>
      services
        .slice(from, from + 80)
        .map((port, i) =>
          i % 3 === 0 ? { ...port, clusterEndpoints: port.clusterEndpoints.slice(1) } : port,
        ),
    );
    let before: readonly ServicePort[] = [];
    for (const ports of states) {
      const changed = new Set([...before, ...ports].map(({ key }) => key));
      const report = await sync(mode, ports, { changed });
      expect([...report.failed.values()]).toEqual([]);
      before = ports;
    }
    const found = meaning(made, family);
    await nft(made, ['flush', 'ruleset']);
    await sync(mode, before);
    expect(found).toEqual(meaning(made, family));
    mode.close();
  });
});

/** A node with two pods and an outside: pods are routed, each over a link of its own. */
interface Place {
  readonly netns: TestNetns;
  readonly servers: ChildProcess[];
}

const server = `
const net = require('node:net');
const [name, port] = process.argv.slice(1);
net.createServer((socket) => socket.end(name + ' ' + socket.remoteAddress.replace('::ffff:', '') + '\\n')).listen(Number(port), () => console.log('up'));
`;

describe('connections', () => {
  const node: Place = { netns: testNetns(), servers: [] };
  const podA: Place = { netns: testNetns(), servers: [] };
  const podB: Place = { netns: testNetns(), servers: [] };
  const outside: Place = { netns: testNetns(), servers: [] };
  const places = [node, podA, podB, outside];
  const mode = openNftablesMode({ family: 4, netns: node.netns.netns });

  const ip = ({ netns }: Place, line: string) => execute(['ip', ...line.split(' ')], { netns: netns.netns });

  async function serve({ netns, servers }: Place, name: string): Promise<void> {
    const child = spawn(
      'nsenter',
      [`--net=${netns.netns.path}`, process.execPath, '-e', server, name, '8080'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    servers.push(child);
    await once(child.stdout, 'data');
  }

  /** What a server says to a TCP client, or why it says nothing. */
  async function connect(
    { netns }: Place,
    at: { readonly to: string; readonly port: number; readonly patience?: string },
  ): Promise<string> {
    const { to, port, patience = '10' } = at;
    const command = `exec 3<>/dev/tcp/${to}/${port} && cat <&3`;
    const { stdout, stderr, exitCode } = await execute(['timeout', patience, 'bash', '-c', command], {
      netns: netns.netns,
      okCodes: [0, 1, 124],
      env: { LC_ALL: 'C' },
    });
    if (exitCode === 124) return 'silence';
    if (stderr.includes('Connection refused')) return 'refused';
    return exitCode === 0 ? stdout.trim() : stderr.trim();
  }

  beforeAll(async () => {
    for (const place of places) await ip(place, 'link set lo up');
    for (const [i, pod] of [podA, podB].entries()) {
      await ip(node, `link add p${i} type veth peer name eth0 netns ${pod.netns.name}`);
      await ip(node, `addr add 10.244.0.1/32 dev p${i}`);
      await ip(node, `link set p${i} up`);
      await ip(node, `route add 10.244.0.${5 + i}/32 dev p${i}`);
      await ip(pod, `addr add 10.244.0.${5 + i}/32 dev eth0`);
      await ip(pod, 'link set eth0 up');
      await ip(pod, 'route add 10.244.0.1/32 dev eth0');
      await ip(pod, 'route add default via 10.244.0.1');
    }
    await ip(node, `link add out type veth peer name eth0 netns ${outside.netns.name}`);
    await ip(node, 'addr add 192.0.2.1/24 dev out');
    await ip(node, 'link set out up');
    // A service address must have a way out before it is translated.
    await ip(node, 'route add default via 192.0.2.9');
    await ip(outside, 'addr add 192.0.2.9/24 dev eth0');
    await ip(outside, 'link set eth0 up');
    await ip(outside, 'route add default via 192.0.2.1');
    writeSysctl('net/ipv4/ip_forward', '1', { netns: node.netns.netns });
    await serve(podA, 'a');
    await serve(podB, 'b');
  });

  afterAll(() => {
    mode.close();
    for (const { netns, servers } of places) {
      for (const child of servers) child.kill();
      netns[Symbol.dispose]();
    }
  });

  const a = '10.244.0.5:8080';
  const b = '10.244.0.6:8080';

  test('a pod, the node and the outside reach a service; sources are as they should be', async () => {
    const port = samplePort({ nodePort: 30080, clusterEndpoints: [b], localEndpoints: [b] });
    await sync(mode, [port]);
    expect(await connect(podA, { to: '10.96.0.10', port: 80 })).toBe('b 10.244.0.5');
    expect(await connect(node, { to: '10.96.0.10', port: 80 })).toBe('b 10.244.0.1');
    expect(await connect(outside, { to: '10.96.0.10', port: 80 })).toBe('b 10.244.0.1');
    expect(await connect(outside, { to: '192.0.2.1', port: 30080 })).toBe('b 10.244.0.1');
    await sync(mode, [{ ...port, externalPolicy: 'Local' }], { changed: new Set([port.key]) });
    expect(await connect(outside, { to: '192.0.2.1', port: 30080 })).toBe('b 192.0.2.9');
  });

  test('a pod that reaches itself sees the node', async () => {
    await sync(mode, [samplePort({ clusterEndpoints: [a], localEndpoints: [a] })]);
    expect(await connect(podA, { to: '10.96.0.10', port: 80 })).toBe('a 10.244.0.1');
    expect(await connect(podB, { to: '10.96.0.10', port: 80 })).toBe('a 10.244.0.6');
  });

  test('all endpoints have their turn', async () => {
    await sync(mode, [samplePort({ clusterEndpoints: [a, b] })]);
    const names = new Set<string>();
    for (let i = 0; i < 40 && names.size < 2; i++)
      names.add((await connect(outside, { to: '10.96.0.10', port: 80 })).slice(0, 1));
    expect([...names].sort()).toEqual(['a', 'b']);
  });

  test('without endpoints, and at ports that no service has, the answer is a refusal', async () => {
    const none = samplePort({ nodePort: 30080 });
    await sync(mode, [none]);
    for (const place of [podA, node, outside]) {
      expect(await connect(place, { to: '10.96.0.10', port: 80 })).toBe('refused');
      expect(await connect(place, { to: '10.96.0.10', port: 81 })).toBe('refused');
      expect(await connect(place, { to: '192.0.2.1', port: 30080 })).toBe('refused');
    }
  });

  test('where the policy allows no endpoint there is silence', async () => {
    await sync(mode, [samplePort({ clusterEndpoints: [b], internalPolicy: 'Local' })]);
    expect(await connect(podA, { to: '10.96.0.10', port: 80, patience: '1' })).toBe('silence');
    expect(await connect(node, { to: '10.96.0.10', port: 80, patience: '1' })).toBe('silence');
  });

  test('source ranges', async () => {
    const port = samplePort({
      loadBalancerIps: ['203.0.113.1'],
      sourceRanges: ['192.0.2.9/32'],
      clusterEndpoints: [b],
    });
    await sync(mode, [port]);
    expect(await connect(outside, { to: '203.0.113.1', port: 80 })).toBe('b 10.244.0.1');
    expect(await connect(podA, { to: '203.0.113.1', port: 80, patience: '1' })).toBe('silence');
    expect(await connect(podA, { to: '10.96.0.10', port: 80 })).toBe('b 10.244.0.5');
  });

  test('node ports on 127.0.0.1, for the node alone', async () => {
    const port = samplePort({ nodePort: 30080, clusterEndpoints: [b] });
    await sync(mode, [port], { context: sampleContext({ localhostNodePorts: true }) });
    expect(await connect(node, { to: '127.0.0.1', port: 30080 })).toBe('b 10.244.0.1');
    await ip(outside, 'route add 127.0.0.1/32 via 192.0.2.1 table 7');
    writeSysctl('net/ipv4/conf/all/route_localnet', '1', { netns: outside.netns.netns });
    await ip(outside, 'rule add pref 0 to 127.0.0.1/32 dport 30080 lookup 7');
    await ip(outside, 'rule del pref 0 lookup local');
    await ip(outside, 'rule add pref 1 lookup local');
    expect(await connect(outside, { to: '127.0.0.1', port: 30080, patience: '1' })).toBe('silence');
  });

  test('a client keeps its endpoint while it lives, over changes and restarts', async () => {
    const sticky = samplePort({ affinitySeconds: 60, nodePort: 30080, clusterEndpoints: [a, b] });
    await sync(mode, [sticky]);
    const got = (await connect(outside, { to: '10.96.0.10', port: 80 })).slice(0, 1);
    const own = got === 'a' ? a : b;
    const other = got === 'a' ? b : a;
    for (let i = 0; i < 8; i++)
      expect((await connect(outside, { to: '192.0.2.1', port: 30080 })).slice(0, 1)).toBe(got);
    await sync(
      mode,
      [
        samplePort({
          affinitySeconds: 60,
          nodePort: 30080,
          clusterEndpoints: ['10.244.0.7:8080', own, other],
        }),
      ],
      {
        changed: new Set([sticky.key]),
      },
    );
    const again = openNftablesMode({ family: 4, netns: node.netns.netns });
    for (let i = 0; i < 8; i++)
      expect((await connect(outside, { to: '10.96.0.10', port: 80 })).slice(0, 1)).toBe(got);
    await sync(again, [samplePort({ affinitySeconds: 60, nodePort: 30080, clusterEndpoints: [other] })]);
    again.close();
    for (let i = 0; i < 4; i++)
      expect((await connect(outside, { to: '10.96.0.10', port: 80 })).slice(0, 1)).toBe(
        got === 'a' ? 'b' : 'a',
      );
  });

  test('packets are counted by service, each once', async () => {
    const counting = openNftablesMode({ family: 4, netns: node.netns.netns, serviceCounters: true });
    await sync(counting, [samplePort({ clusterEndpoints: [b] })]);
    await connect(podA, { to: '10.96.0.10', port: 80 });
    await counting.readTraffic(never);
    const [fromPod] = counting.serviceTraffic();
    await connect(node, { to: '10.96.0.10', port: 80 });
    await counting.readTraffic(never);
    const [both] = counting.serviceTraffic();
    counting.close();
    expect(fromPod?.key).toBe('ns/web/tcp');
    // SYN, ACK, and what ends it.
    expect(fromPod?.packetsIn).toBeGreaterThanOrEqual(3n);
    expect(fromPod?.packetsIn).toBeLessThanOrEqual(6n);
    expect(fromPod?.packetsOut).toBeGreaterThanOrEqual(2n);
    expect((both?.packetsIn ?? 0n) - (fromPod?.packetsIn ?? 0n)).toBeLessThanOrEqual(6n);
    expect(both?.packetsIn).toBeGreaterThan(fromPod?.packetsIn ?? 0n);
  });
});
