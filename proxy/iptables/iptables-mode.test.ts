import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import type { ProxyMode } from '../proxy-mode.ts';
import type { RuleContext } from '../rule-context.ts';
import { type SamplePortFields, samplePort } from '../sample-services.ts';
import type { ServicePort } from '../service-port.ts';
import { endpointChain, portChain } from './chain-names.ts';
import { createIptablesMode } from './iptables-mode.ts';
import { places } from './place.ts';
import { sampleContext } from './sample-context.ts';

const signal = new AbortController().signal;

interface Node {
  readonly kernel: FakeIptablesKernel;
  readonly mode: ProxyMode;
  readonly ports: Map<string, ServicePort>;
  /** Everything, as iptables-save has it, with the lines of chains sorted where their order says nothing. */
  state(): Promise<string>;
  all(context?: RuleContext): Promise<number>;
  /** Undefined: removed. */
  set(port: ServicePort, present?: boolean): Promise<{ readonly full: boolean; readonly changes: number }>;
}

const shared = new Set(Object.values(places).map(({ table, chain }) => `${table} ${chain}`));

function makeNode(
  options: {
    readonly kernel?: FakeIptablesKernel;
    readonly inBatches?: boolean;
    readonly family?: 4 | 6;
  } = {},
): Node {
  const { kernel = new FakeIptablesKernel(), family = 4, inBatches = true } = options;
  const context = sampleContext({ family });
  const access = kernel.access(family);
  const mode = createIptablesMode({
    access,
    inBatches,
    randomFully: true,
    allowRouteLocalnet: () => {},
    cleanUp: async () => [],
  });
  const ports = new Map<string, ServicePort>();
  return {
    kernel,
    mode,
    ports,
    async state() {
      const lines: string[] = [];
      for (const table of ['filter', 'nat', 'mangle']) {
        const { chains, rules } = await access.save(table);
        for (const chain of [...chains.keys()].sort()) {
          lines.push(`${table} ${chain}`);
          const own = rules.filter((rule) => rule.startsWith(`-A ${chain} `));
          const tail = own.filter((rule) => rule.includes('must be the last rule'));
          if (tail.length > 0 && !own.at(-1)?.includes('must be the last rule'))
            lines.push('the tail is not the last');
          lines.push(...(shared.has(`${table} ${chain}`) ? own.sort() : own));
        }
      }
      return lines.join('\n');
    },
    async all(other = context) {
      return (await mode.sync({ ports, changed: 'all', context: other }, signal)).changes;
    },
    async set(port, present = true) {
      if (present) ports.set(port.key, port);
      else ports.delete(port.key);
      return await mode.sync({ ports, changed: new Set([port.key]), context }, signal);
    },
  };
}

const samples: readonly SamplePortFields[] = [
  { service: 'a', clusterIp: '10.96.0.1', clusterEndpoints: ['10.0.0.1:80'] },
  { service: 'a', clusterIp: '10.96.0.1', clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'] },
  {
    service: 'a',
    clusterIp: '10.96.0.1',
    affinitySeconds: 60,
    clusterEndpoints: ['10.0.0.2:80', '10.0.0.3:80'],
  },
  { service: 'a', clusterIp: '10.96.0.1' },
  {
    service: 'b',
    clusterIp: '10.96.0.2',
    nodePort: 30000,
    externalIps: ['192.0.2.7'],
    loadBalancerIps: ['192.0.2.7'],
  },
  {
    service: 'b',
    clusterIp: '10.96.0.2',
    nodePort: 30000,
    externalIps: ['192.0.2.7'],
    loadBalancerIps: ['192.0.2.7'],
    externalPolicy: 'Local',
    clusterEndpoints: ['10.0.1.1:80'],
  },
  {
    service: 'b',
    clusterIp: '10.96.0.2',
    nodePort: 30001,
    loadBalancerIps: ['192.0.2.7', '192.0.2.8'],
    sourceRanges: ['192.168.0.0/16', '0.0.0.0/0'],
    healthCheckNodePort: 31000,
    externalPolicy: 'Local',
    clusterEndpoints: ['10.0.1.1:80', '10.0.1.2:80'],
    localEndpoints: ['10.0.1.2:80'],
  },
  { service: 'c', protocol: 'udp', clusterIp: '10.96.0.3', port: 53, clusterEndpoints: ['10.0.2.1:53'] },
  {
    service: 'c',
    protocol: 'udp',
    clusterIp: '10.96.0.3',
    port: 53,
    internalPolicy: 'Local',
    hasAnyEndpoint: true,
  },
];

let node: Node;

beforeEach(async () => {
  node = makeNode();
  for (const at of [0, 6, 7]) {
    const port = samplePort(samples[at]);
    node.ports.set(port.key, port);
  }
  await node.all();
});

describe('createIptablesMode', () => {
  test('changes nothing when all is right, nor after a restart', async () => {
    const restores = node.kernel.restores.length;
    expect(await node.all()).toBe(0);
    const again = makeNode({ kernel: node.kernel });
    for (const [key, port] of node.ports) again.ports.set(key, port);
    expect(await again.all()).toBe(0);
    expect(node.kernel.restores).toHaveLength(restores);
  });

  test('a first call is about everything, whatever it names', async () => {
    const fresh = makeNode();
    const port = samplePort(samples[1]);
    const report = await fresh.set(port);
    expect(report.full).toBe(true);
    expect((await fresh.set(port)).full).toBe(false);
  });

  test('one change looks at nothing and touches only its own', async () => {
    const { saves } = node.kernel;
    const report = await node.set(samplePort(samples[1]));
    expect(report).toMatchObject({ full: false });
    expect(node.kernel.saves).toBe(saves);
    const text = node.kernel.restores.at(-1)?.text ?? '';
    expect(text.split('\n').filter((line) => /KUBE-(SERVICES|NODEPORTS|FORWARD)/.test(line))).toEqual([]);
  });

  test('the text of a service that comes and goes', async () => {
    const port = samplePort({ service: 'd', clusterIp: '10.96.0.4', clusterEndpoints: ['10.0.3.1:80'] });
    await node.set(port);
    expect(node.kernel.restores.at(-1)?.text).toBe(`*nat
:KUBE-SVC-LVPGDMMEOX34764S - [0:0]
:KUBE-SEP-Y7CTEE2P6BL5GEFY - [0:0]
-A KUBE-SVC-LVPGDMMEOX34764S -m comment --comment "ns/d cluster IP" -m tcp -p tcp -d 10.96.0.4 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-LVPGDMMEOX34764S -m comment --comment "ns/d -> 10.0.3.1:80" -j KUBE-SEP-Y7CTEE2P6BL5GEFY
-A KUBE-SEP-Y7CTEE2P6BL5GEFY -m comment --comment ns/d -s 10.0.3.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-Y7CTEE2P6BL5GEFY -m comment --comment ns/d -m tcp -p tcp -j DNAT --to-destination 10.0.3.1:80
-I KUBE-SERVICES -m comment --comment "ns/d cluster IP" -m tcp -p tcp -d 10.96.0.4 --dport 80 -j KUBE-SVC-LVPGDMMEOX34764S
COMMIT
`);
    await node.set(samplePort({ service: 'd', clusterIp: '10.96.0.4' }));
    expect(node.kernel.restores.at(-1)?.text).toBe(`*filter
-I KUBE-SERVICES -m comment --comment "ns/d has no endpoints" -m tcp -p tcp -d 10.96.0.4 --dport 80 -j REJECT
COMMIT
*nat
:KUBE-SVC-LVPGDMMEOX34764S - [0:0]
:KUBE-SEP-Y7CTEE2P6BL5GEFY - [0:0]
-D KUBE-SERVICES -m comment --comment "ns/d cluster IP" -m tcp -p tcp -d 10.96.0.4 --dport 80 -j KUBE-SVC-LVPGDMMEOX34764S
-X KUBE-SVC-LVPGDMMEOX34764S
-X KUBE-SEP-Y7CTEE2P6BL5GEFY
COMMIT
`);
  });

  test('changes one by one come to the same as a fresh start', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ sample: fc.nat(samples.length - 1), present: fc.boolean() }), { maxLength: 12 }),
        fc.boolean(),
        async (steps, inBatches) => {
          const walked = makeNode({ inBatches });
          await walked.all();
          for (const { sample, present } of steps) {
            const report = await walked.set(samplePort(samples[sample]), present);
            expect(report.full).toBe(false);
          }
          const fresh = makeNode({ inBatches });
          for (const [key, port] of walked.ports) fresh.ports.set(key, port);
          await fresh.all();
          expect(await walked.state()).toBe(await fresh.state());
          expect(await walked.all()).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('many lines that go: the chain is written whole', async () => {
    const many = Array.from({ length: 40 }, (_, i) =>
      samplePort({ service: `m${i}`, clusterIp: `10.96.1.${i}`, clusterEndpoints: [`10.0.4.${i}:80`] }),
    );
    for (const port of many) node.ports.set(port.key, port);
    await node.all();
    for (const port of many) node.ports.delete(port.key);
    const changed = new Set(many.map(({ key }) => key));
    await node.mode.sync({ ports: node.ports, changed, context: sampleContext() }, signal);
    const text = node.kernel.restores.at(-1)?.text ?? '';
    expect(text).toContain(':KUBE-SERVICES - [0:0]');
    expect(text).not.toContain('-D ');
    expect(await node.all()).toBe(0);
  });

  test.each([
    [
      'a jump',
      '*nat\n-D OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n',
      1,
    ],
    [
      'a doubled jump',
      '*nat\n-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n',
      1,
    ],
    ['all of INPUT', '*filter\n-F INPUT\nCOMMIT\n', 4],
    ['the services', '*nat\n-F KUBE-SERVICES\nCOMMIT\n', undefined],
    ["a service's chain", `*nat\n-F ${portChain('SVC', samplePort(samples[0]))}\nCOMMIT\n`, undefined],
    ['an endpoint', `*nat\n-F ${endpointChain(samplePort(samples[0]), '10.0.0.1:80')}\nCOMMIT\n`, undefined],
    ['a line too many', '*nat\n-I KUBE-SERVICES -p tcp -j ACCEPT\nCOMMIT\n', undefined],
    ['a line behind the last', '*nat\n-A KUBE-SERVICES -p tcp -j ACCEPT\nCOMMIT\n', undefined],
    ['masquerading', '*nat\n-F KUBE-POSTROUTING\nCOMMIT\n', undefined],
    ['a mark', '*nat\n-I KUBE-MARK-MASQ -j RETURN\nCOMMIT\n', undefined],
    ['forwarding', '*filter\n-F KUBE-FORWARD\nCOMMIT\n', undefined],
    ['a refusal', '*filter\n-F KUBE-PROXY-FIREWALL\nCOMMIT\n', undefined],
    ['a health check', '*filter\n-F KUBE-NODEPORTS\nCOMMIT\n', undefined],
    ['a canary', '*mangle\n-X KUBE-PROXY-CANARY\nCOMMIT\n', 1],
    ['the guard of localhost', '*filter\n-F KUBE-FIREWALL\nCOMMIT\n', 1],
    ['a stale chain', '*nat\n:KUBE-SEP-OLD - [0:0]\n-A KUBE-SEP-OLD -j KUBE-MARK-MASQ\nCOMMIT\n', 2],
  ] as const)('mends %s', async (_, text, lines) => {
    const before = await node.state();
    await node.kernel.access(4).restore(text);
    expect(await node.state()).not.toBe(before);
    const changes = await node.all();
    expect(changes).toBeGreaterThan(0);
    if (lines !== undefined) expect(changes).toBe(lines);
    // A mended jump stands first; all else is as it was.
    expect((await node.state()).split('\n').sort()).toEqual(before.split('\n').sort());
    expect(await node.all()).toBe(0);
  });

  test("leaves kubelet's lines and everybody's own", async () => {
    const theirs = `*filter
:KUBE-KUBELET-CANARY - [0:0]
:CNI-FORWARD - [0:0]
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A FORWARD -j CNI-FORWARD
-A CNI-FORWARD -s 10.0.0.0/8 -j ACCEPT
COMMIT
`;
    const fresh = makeNode();
    await fresh.kernel.access(4).restore(`*filter\n:KUBE-FIREWALL - [0:0]\nCOMMIT\n${theirs}`);
    await fresh.all();
    const { rules, chains } = await fresh.kernel.access(4).save('filter');
    expect(chains.has('KUBE-KUBELET-CANARY')).toBe(true);
    expect(rules).toContain('-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP');
    expect(rules).toContain('-A CNI-FORWARD -s 10.0.0.0/8 -j ACCEPT');
    expect(rules.at(-1)).not.toBe('-A FORWARD -j CNI-FORWARD');
  });

  test('a stale chain that a stranger leads to stays, empty', async () => {
    await node.kernel.access(4).restore(`*nat
:KUBE-SVC-OLD - [0:0]
:KUBE-SEP-OLD - [0:0]
-A KUBE-SVC-OLD -j KUBE-SEP-OLD
-A PREROUTING -j KUBE-SVC-OLD
COMMIT
`);
    await node.all();
    const { chains, rules } = await node.kernel.access(4).save('nat');
    expect(chains.has('KUBE-SVC-OLD')).toBe(true);
    expect(chains.has('KUBE-SEP-OLD')).toBe(false);
    expect(rules.filter((rule) => rule.startsWith('-A KUBE-SVC-OLD'))).toEqual([]);
    expect(await node.all()).toBe(0);
  });

  test('a change on what others changed meanwhile looks at everything', async () => {
    await node.kernel.access(4).restore('*nat\n-F KUBE-SERVICES\nCOMMIT\n');
    const report = await node.set(samplePort(samples[0]), false);
    expect(report.full).toBe(true);
    expect(await node.all()).toBe(0);
  });

  test('a large cluster, and back', async () => {
    const fresh = makeNode();
    const big = samplePort({
      service: 'big',
      clusterIp: '10.96.9.9',
      clusterEndpoints: Array.from({ length: 1001 }, (_, i) => `10.1.${i >> 8}.${i & 255}:80`),
    });
    const small = samplePort(samples[0]);
    await fresh.set(small);
    expect(await fresh.state()).toContain('"ns/a -> 10.0.0.1:80"');
    expect((await fresh.set(big)).full).toBe(true);
    expect(await fresh.state()).not.toContain('->');
    expect(await fresh.state()).toContain('"ns/a cluster IP"');
    expect((await fresh.set(big, false)).full).toBe(true);
    expect(await fresh.state()).toContain('"ns/a -> 10.0.0.1:80"');
    expect(await fresh.all()).toBe(0);
  });

  test('another context makes all rules anew', async () => {
    const report = await node.mode.sync(
      { ports: node.ports, changed: new Set(), context: sampleContext({ masqueradeAll: true }) },
      signal,
    );
    expect(report.full).toBe(true);
    expect(report.changes).toBeGreaterThan(0);
    expect(await node.state()).not.toContain('! -s 10.0.0.0/8');
  });

  test('IPv6', async () => {
    const fresh = makeNode({ family: 6 });
    await fresh.set(
      samplePort({ family: 6, nodePort: 30000, clusterEndpoints: ['[fd00:10::1]:80', '[fd00:10::2]:80'] }),
    );
    expect(await fresh.state()).toContain('--to-destination [fd00:10::2]:80');
    expect(await fresh.all()).toBe(0);
  });
});

describe('what is refused', () => {
  /** iptables wants 0 to 4294967295 seconds. */
  const refused = samplePort({
    service: 'bad',
    clusterIp: '10.96.8.8',
    affinitySeconds: -1,
    clusterEndpoints: ['10.0.8.1:80', '10.0.8.2:80'],
  });

  test('one port: the others are programmed', async () => {
    const good = samplePort(samples[1]);
    node.ports.set(refused.key, refused);
    node.ports.set(good.key, good);
    const changed = new Set([refused.key, good.key]);
    const report = await node.mode.sync({ ports: node.ports, changed, context: sampleContext() }, signal);
    expect([...report.failed.keys()]).toEqual(['ns/bad/tcp']);
    expect(report.failed.get('ns/bad/tcp')?.message).toMatch(
      /^Cannot program service port "ns\/bad\/tcp": .*line/,
    );
    expect(await node.state()).toContain('10.0.0.3:80');
    expect(await node.state()).not.toContain('10.96.8.8');
  });

  test('a port keeps the rules that it had, until it is right again', async () => {
    await node.set(samplePort({ ...portFields(refused), affinitySeconds: 10 }));
    const before = await node.state();
    await node.set(refused);
    expect(await node.state()).toBe(before);
    const report = await node.set(samplePort({ ...portFields(refused), affinitySeconds: 11 }));
    expect(report).toMatchObject({ full: false, failed: new Map() });
    expect(await node.state()).toContain('--seconds 11');
  });

  test('one that makes the cluster large, or not', async () => {
    const fresh = makeNode();
    const big = {
      service: 'big',
      clusterIp: '10.96.9.9',
      clusterEndpoints: Array.from({ length: 1001 }, (_, i) => `10.1.${i >> 8}.${i & 255}:80`),
    };
    const good = samplePort(samples[0]);
    await fresh.set(samplePort({ ...big, affinitySeconds: -1 }));
    expect((await fresh.set(good)).full).toBe(false);
    expect(await fresh.state()).not.toContain('->');
  });

  test('a name that no object can have', async () => {
    const report = await node.mode.sync(
      {
        ports: node.ports.set('x', samplePort({ service: 'a"\n-F' })),
        changed: new Set(['x', 'ns/a"\n-F/tcp']),
        context: sampleContext(),
      },
      signal,
    );
    expect(report.failed.size).toBe(1);
  });

  test('a whole restore: rejects, and looks at everything the next time', async () => {
    const before = await node.state();
    const locked = {
      ...node.kernel.access(4),
      restore: async () => {
        throw new Error('no iptables');
      },
    };
    const mode = createIptablesMode({
      access: locked,
      inBatches: true,
      randomFully: true,
      allowRouteLocalnet: () => {},
      cleanUp: async () => [],
    });
    const ports = new Map([[refused.key, samplePort(samples[3])]]);
    await expect(mode.sync({ ports, changed: 'all', context: sampleContext() }, signal)).rejects.toThrow(
      /no iptables/,
    );
    expect(await node.state()).toBe(before);
  });

  test('for once: the same call looks at everything and mends it', async () => {
    node.kernel.refuseNext('Resource temporarily unavailable');
    const report = await node.set(samplePort(samples[1]));
    expect(report.full).toBe(true);
    expect(await node.all()).toBe(0);
  });
});

function portFields(port: ServicePort): SamplePortFields {
  return {
    service: port.service,
    clusterIp: String(port.clusterIp),
    clusterEndpoints: port.clusterEndpoints,
  };
}
