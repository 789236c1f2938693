import { constants } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KernelError } from '../../kernel/kernel-error.ts';
import { chain, rule } from '../../kernel/nft/declare.ts';
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { SeenGeneration } from '../../kernel/nft/seen-generation.ts';
import { drop } from '../../kernel/nft/statement.ts';
import type { NftDriver, NftStep } from '../../kernel/nft/step.ts';
import { stepText } from '../../kernel/nft/step-text.ts';
import { IpAddress } from '../../net/address.ts';
import { samplePort } from '../sample-services.ts';
import type { ServicePort } from '../service-port.ts';
import type { ForeignChanges } from './foreign-changes.ts';
import { portsAtOnce } from './program-ports.ts';
import { sampleContext, sampleNode, tableMeaning } from './sample-node.ts';

const never = new AbortController().signal;
const three = ['10.244.0.5:8080', '10.244.1.5:8080', '10.244.2.5:8080'];
const web = samplePort({ nodePort: 30080, clusterEndpoints: three, localEndpoints: three.slice(0, 1) });
const sticky = samplePort({
  service: 'sticky',
  clusterIp: '10.96.0.11',
  affinitySeconds: 10800,
  externalPolicy: 'Local',
  loadBalancerIps: ['203.0.113.1'],
  sourceRanges: ['198.51.100.0/24'],
  clusterEndpoints: three,
  localEndpoints: three.slice(0, 1),
});
const none = samplePort({ service: 'none', clusterIp: '10.96.0.12' });
const all = [web, sticky, none];

/** The steps of each transaction. */
function recorded(kernel: FakeNftKernel): { readonly driver: NftDriver; readonly transactions: NftStep[][] } {
  const transactions: NftStep[][] = [];
  const driver = kernel.driver();
  return {
    transactions,
    driver: {
      ...driver,
      apply(steps, options) {
        const result = driver.apply(steps, options);
        if (result.kind === 'done' && steps.length > 0) transactions.push([...steps]);
        return result;
      },
    },
  };
}

/** A driver that refuses elements with these comments. */
function refusing(
  kernel: FakeNftKernel,
  comments: ReadonlySet<string>,
  errno = constants.errno.EINVAL,
): NftDriver {
  const driver = kernel.driver();
  return {
    ...driver,
    apply(steps, options) {
      const faults = steps.flatMap((step) =>
        step.kind === 'element-add' && comments.has(step.element.comment ?? '')
          ? [{ step, error: new KernelError({ operation: 'add element', object: '', errno }) }]
          : [],
      );
      return faults.length > 0 ? { kind: 'refused', faults } : driver.apply(steps, options);
    },
  };
}

describe('changes', () => {
  test('one endpoint replaced is one element, in one transaction', async () => {
    const kernel = new FakeNftKernel();
    const { driver, transactions } = recorded(kernel);
    const node = sampleNode({ kernel, driver });
    await node.sync(all);
    transactions.length = 0;
    const next = samplePort({
      ...web,
      ...texts(web),
      clusterEndpoints: [...three.slice(1), '10.244.3.5:8080'],
    });
    const report = await node.sync([next, sticky, none], { changed: [web.key] });
    expect(report).toEqual({ full: false, changes: 2, failed: new Map() });
    expect(transactions.map((steps) => steps.map(stepText))).toEqual([
      [
        'delete element ip netloom-proxy endpoints { 0:1 . 0 }',
        'add element ip netloom-proxy endpoints { 0:1 . 0 : 10.244.3.5 . 8080 }',
      ],
    ]);
  });

  test('a resize is one transaction; the chains that nobody needs then go after it', async () => {
    const kernel = new FakeNftKernel();
    const { driver, transactions } = recorded(kernel);
    const node = sampleNode({ kernel, driver });
    const small = samplePort({ clusterEndpoints: three.slice(0, 2) });
    await node.sync([small]);
    transactions.length = 0;
    await node.sync([samplePort({ clusterEndpoints: three })], { changed: [small.key] });
    expect(transactions.map((steps) => steps.map(stepText))).toEqual([
      [
        'add chain ip netloom-proxy pick-3',
        'add chain ip netloom-proxy internal-3',
        'add rule ip netloom-proxy pick-3 meta priority set meta priority & f:ffff',
        'add rule ip netloom-proxy pick-3 meta l4proto { tcp, udp, sctp } dnat ip to meta priority . numgen random mod 3 map @endpoints',
        'add rule ip netloom-proxy pick-3 meta l4proto { tcp, udp, sctp } dnat ip to meta priority . numgen random mod 1 map @endpoints comment "a list that just became shorter"',
        'add rule ip netloom-proxy pick-3 goto discard',
        'add rule ip netloom-proxy internal-3 ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x00004000',
        'add rule ip netloom-proxy internal-3 goto pick-3',
        'add element ip netloom-proxy classes { 40:0 : goto internal-3 }',
        'delete element ip netloom-proxy services { 10.96.0.10 . tcp . 80 }',
        'add element ip netloom-proxy services { 10.96.0.10 . tcp . 80 comment "ns/web" : 40:1 }',
        'add element ip netloom-proxy endpoints { 0:1 . 2 : 10.244.2.5 . 8080 }',
      ],
      ['delete element ip netloom-proxy classes { 30:0 }'],
      [
        'flush chain ip netloom-proxy internal-2',
        'flush chain ip netloom-proxy pick-2',
        'delete chain ip netloom-proxy internal-2',
        'delete chain ip netloom-proxy pick-2',
      ],
    ]);
  });

  test('unchanged input plans nothing', async () => {
    const node = sampleNode();
    await node.sync(all);
    expect(await node.sync(all)).toEqual({ full: true, changes: 0, failed: new Map() });
    expect(await node.sync(all, { changed: all.map(({ key }) => key) })).toMatchObject({
      full: false,
      changes: 0,
    });
    expect(await node.sync(all.map((port) => ({ ...port })))).toMatchObject({ full: true, changes: 0 });
  });

  test('another context is programmed whatever is said to have changed', async () => {
    const node = sampleNode();
    await node.sync(all);
    const context = sampleContext({
      localDetector: { kind: 'bridge', link: 'cni0' },
      nodePortIps: [IpAddress.parse('192.0.2.1')],
      localhostNodePorts: true,
    });
    expect(await node.sync(all, { changed: [], context })).toMatchObject({ full: true });
    const fresh = sampleNode();
    await fresh.sync(all, { context });
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
  });

  test('clusters of all shapes become what they would be from nothing, and are taken over as they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(clusters, { minLength: 2, maxLength: 6 }), async (states) => {
        const node = sampleNode({ serviceCounters: true });
        let before: readonly ServicePort[] = [];
        for (const [i, ports] of states.entries()) {
          const keys = new Set([...before, ...ports].map(({ key }) => key));
          const report = await node.sync(ports, i === 0 ? {} : { changed: [...keys] });
          expect(report.failed).toEqual(new Map());
          before = ports;
        }
        const fresh = sampleNode({ serviceCounters: true });
        await fresh.sync(before);
        expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
        expect(await node.sync(before)).toMatchObject({ changes: 0 });
        node.restart();
        expect(await node.sync(before)).toEqual({ full: true, changes: 0, failed: new Map() });
        // A process that was away for some changes.
        const [first = []] = states;
        node.restart();
        await node.sync(first);
        const other = sampleNode({ serviceCounters: true });
        await other.sync(first);
        expect(tableMeaning(node.table())).toEqual(tableMeaning(other.table()));
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe('addresses that two ports claim', () => {
  const first = samplePort({
    service: 'a',
    clusterIp: '10.96.1.1',
    externalIps: ['192.0.2.9'],
    clusterEndpoints: three,
  });
  const second = samplePort({
    service: 'b',
    clusterIp: '10.96.1.2',
    externalIps: ['192.0.2.9'],
    clusterEndpoints: three,
  });

  test('the first has it, the other is told, and gets it when it is free', async () => {
    const node = sampleNode();
    const { failed } = await node.sync([first, second]);
    expect([...failed].map(([key, { message }]) => [key, message])).toEqual([
      [
        'ns/b/tcp',
        'Cannot program "ns/b/tcp": 192.0.2.9 . tcp . 80 belongs to "ns/a/tcp"; the rest of it is programmed',
      ],
    ]);
    expect((await node.sync([first, second])).failed.size).toBe(1);
    expect(node.table().sets.get('services')?.elements.size).toBe(3);
    const report = await node.sync([second], { changed: [first.key] });
    expect(report.failed.size).toBe(0);
    const fresh = sampleNode();
    await fresh.sync([second]);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
  });

  test('two swap theirs', async () => {
    const node = sampleNode();
    await node.sync([first, { ...second, externalIps: [] }]);
    const swapped = [
      { ...first, clusterIp: second.clusterIp, externalIps: [] },
      { ...second, clusterIp: first.clusterIp },
    ];
    const report = await node.sync(swapped, { changed: [first.key, second.key] });
    expect(report.failed.size).toBe(0);
    const fresh = sampleNode();
    await fresh.sync(swapped);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
  });
});

describe('what others do to the table', () => {
  const table = { family: 'ip', name: 'netloom-proxy' } as const;
  const flushed = (name: string) => (node: ReturnType<typeof sampleNode>) => {
    const set = node.table().sets.get(name);
    if (set === undefined) throw new Error(`no set ${name}`);
    return [...set.elements.values()].map(
      (element): NftStep => ({ kind: 'element-delete', table, set, element }),
    );
  };
  const damages: readonly (readonly [string, (node: ReturnType<typeof sampleNode>) => readonly NftStep[]])[] =
    [
      ['the table deleted', () => [{ kind: 'table-delete', table }]],
      ['a base chain emptied', () => [{ kind: 'chain-flush', table, chain: chain('nat-prerouting') }]],
      ['a class emptied', () => [{ kind: 'chain-flush', table, chain: chain('internal-3') }]],
      ['a rule added', () => [{ kind: 'rule-add', table, rule: rule('dispatch', [drop]) }]],
      ['a chain added', () => [{ kind: 'chain-add', table, chain: chain('theirs') }]],
      [
        'a chain deleted',
        () => [
          { kind: 'chain-flush', table, chain: chain('nat-output') },
          { kind: 'chain-delete', table, chain: chain('nat-output') },
        ],
      ],
      [
        'a set deleted',
        (node) => [
          { kind: 'chain-flush', table, chain: chain('nat-postrouting') },
          ...['hairpin'].flatMap((name): readonly NftStep[] => {
            const set = node.table().sets.get(name);
            return set === undefined ? [] : [{ kind: 'set-delete', table, set }];
          }),
        ],
      ],
      ...['services', 'node-ports', 'guarded', 'classes', 'endpoints', 'cluster-ips', 'hairpin'].map(
        (name) => [`${name} flushed`, flushed(name)] as const,
      ),
      ...['sticky-endpoints', 'sticky-addresses', 'sticky-local-endpoints', 'sticky-local-addresses'].map(
        (name) => [`${name} flushed`, flushed(name)] as const,
      ),
      [
        'an element of theirs',
        (node) => {
          const set = node.table().sets.get('services');
          if (set === undefined) return [];
          const element = { key: [IpAddress.parse('10.96.9.9'), 6, 80], data: [0x00300001] };
          return [{ kind: 'element-add', table, set, element }];
        },
      ],
      [
        'elements led astray',
        (node) => {
          const set = node.table().sets.get('endpoints');
          if (set === undefined) return [];
          return [...set.elements.values()].flatMap((element): readonly NftStep[] => [
            { kind: 'element-delete', table, set, element },
            {
              kind: 'element-add',
              table,
              set,
              element: { ...element, data: [IpAddress.parse('198.51.100.6'), 6] },
            },
          ]);
        },
      ],
    ];

  test.each(damages)('%s: noticed and mended', async (_, damage) => {
    const node = sampleNode();
    await node.sync(all);
    const wanted = tableMeaning(node.table());
    expect(node.mode.changed()).toBe(false);
    const result = node.kernel.apply(damage(node));
    expect(result.kind).toBe('done');
    expect(node.mode.changed()).toBe(true);
    const report = await node.sync(all);
    expect(report.full).toBe(true);
    expect(report.changes).toBeGreaterThan(0);
    expect(tableMeaning(node.table())).toEqual(wanted);
    expect(node.mode.changed()).toBe(false);
    expect(await node.sync(all)).toMatchObject({ changes: 0 });
  });

  test.each(damages)('%s: found out by a change that does not fit', async (_, damage) => {
    const node = sampleNode();
    await node.sync(all);
    node.kernel.apply(damage(node));
    const changed = [
      samplePort({ ...web, ...texts(web), clusterEndpoints: [...three.slice(1), '10.244.3.5:8080'] }),
      sticky,
    ];
    await node.sync(changed, { changed: [web.key, none.key] });
    await node.sync(changed);
    const fresh = sampleNode();
    await fresh.sync(changed);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
  });

  test('a table of another shape is replaced at one go', async () => {
    const kernel = new FakeNftKernel();
    const { driver, transactions } = recorded(kernel);
    kernel.apply([
      { kind: 'table-add', table: { ...table, comment: 'Made by netloom proxy' } },
      { kind: 'set-add', table, set: { name: 'services', key: ['ipv4_addr'], flags: [] } },
    ]);
    const node = sampleNode({ kernel, driver });
    await node.sync(all);
    expect(transactions).toHaveLength(1);
    expect(transactions[0]?.[0]?.kind).toBe('table-delete');
    const fresh = sampleNode();
    await fresh.sync(all);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
  });

  test('changes of other tables are none of ours when somebody tells them apart', async () => {
    const kernel = new FakeNftKernel();
    let reads = 0;
    const driver: NftDriver = {
      ...kernel.driver(),
      read: (...given) => {
        reads += 1;
        return kernel.read(...given);
      },
    };
    let touched = false;
    const foreign: ForeignChanges = {
      apply: (of, steps, options) => of.apply(steps, options),
      take: () => touched,
      close: () => undefined,
    };
    const node = sampleNode({ kernel, driver, foreign });
    await node.sync(all);
    kernel.apply([{ kind: 'table-add', table: { family: 'ip', name: 'theirs' } }]);
    expect(node.mode.changed()).toBe(false);
    reads = 0;
    expect(await node.sync(all)).toMatchObject({ full: true, changes: 0 });
    kernel.apply([{ kind: 'table-delete', table: { family: 'ip', name: 'theirs' } }]);
    expect(node.mode.changed()).toBe(false);
    expect(reads).toBe(0);
    kernel.apply([{ kind: 'table-add', table: { family: 'ip', name: 'theirs' } }]);
    touched = true;
    expect(node.mode.changed()).toBe(true);
    await node.sync(all);
    expect(reads).toBe(1);
  });

  test('changes of others in the same process are not foreign', async () => {
    const kernel = new FakeNftKernel();
    const beside = new SeenGeneration();
    const [four, six] = [sampleNode({ kernel, beside }), sampleNode({ kernel, beside, family: 6 })];
    const six80 = samplePort({ family: 6, clusterEndpoints: ['[fd00:10:244::5]:8080'] });
    await four.sync(all);
    await six.sync([six80]);
    await four.sync([web], { changed: [sticky.key, none.key] });
    expect([four.mode.changed(), six.mode.changed()]).toEqual([false, false]);
  });
});

describe('what the kernel refuses', () => {
  test('the port is named, and the others go on', async () => {
    const comments = new Set(['ns/sticky']);
    const kernel = new FakeNftKernel();
    const node = sampleNode({ kernel, driver: refusing(kernel, comments) });
    const report = await node.sync(all);
    expect([...report.failed.keys()]).toEqual([sticky.key]);
    const fresh = sampleNode();
    await fresh.sync([web, none]);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
    comments.clear();
    expect((await node.sync(all, { changed: [sticky.key] })).failed.size).toBe(0);
    const whole = sampleNode();
    await whole.sync(all);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(whole.table()));
  });

  test('a fault that names no step is found by halving', async () => {
    const kernel = new FakeNftKernel();
    const driver = kernel.driver();
    const node = sampleNode({
      kernel,
      driver: {
        ...driver,
        apply(steps, options) {
          const bad = steps.some((step) => step.kind === 'element-add' && step.element.comment === 'ns/s7');
          if (!bad) return driver.apply(steps, options);
          return {
            kind: 'refused',
            faults: [
              {
                error: new KernelError({
                  operation: 'change nf_tables',
                  object: '',
                  errno: constants.errno.ENOMEM,
                }),
              },
            ],
          };
        },
      },
    });
    const ports = Array.from({ length: 20 }, (_, i) =>
      samplePort({ service: `s${i}`, clusterIp: `10.96.2.${i + 1}`, clusterEndpoints: three }),
    );
    const report = await node.sync(ports);
    expect([...report.failed.keys()]).toEqual(['ns/s7/tcp']);
    expect(node.table().sets.get('services')?.elements.size).toBe(19);
  });

  test('what we may not do at all rejects, and the next call looks at everything', async () => {
    const kernel = new FakeNftKernel();
    const comments = new Set(['ns/web']);
    const node = sampleNode({ kernel, driver: refusing(kernel, comments, constants.errno.EPERM) });
    await expect(node.sync(all)).rejects.toThrow(/EPERM/);
    comments.clear();
    expect(await node.sync(all, { changed: [] })).toMatchObject({ full: true, failed: new Map() });
    const fresh = sampleNode();
    await fresh.sync(all);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
  });

  test('a port with more endpoints than affinity can number is reported', async () => {
    const endpoints = Array.from({ length: 4096 }, (_, i) => `10.244.${i >> 8}.${i & 255}:80`);
    const node = sampleNode();
    const report = await node.sync([samplePort({ affinitySeconds: 60, clusterEndpoints: endpoints }), none]);
    expect([...report.failed.values()].map(({ message }) => message)).toEqual([
      'Cannot program "ns/web/tcp": it has 4096 endpoints, and with session affinity 4095 are the most',
    ]);
    expect(node.table().sets.get('services')?.elements.size).toBe(1);
  });
});

describe('room', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      samplePort({
        service: `s${i}`,
        clusterIp: `10.${96 + (i >> 8)}.1.${i & 255}`,
        affinitySeconds: 10800,
        clusterEndpoints: ['10.244.0.1:80', '10.244.0.2:80', '10.244.0.3:80'],
      }),
    );
  const setIn = (node: ReturnType<typeof sampleNode>, name: string) => node.table().sets.get(name);

  test('a set that is full is made anew, larger, and clients keep their endpoints', async () => {
    const node = sampleNode();
    const ports = many(300);
    await node.sync([sticky, ...ports.slice(0, 100)]);
    expect(setIn(node, 'sticky-addresses')?.size).toBe(768);
    const affinity = setIn(node, 'affinity');
    const client = { key: [1, IpAddress.parse('198.51.100.7')], data: [0x00100001] };
    if (affinity === undefined) throw new Error('no affinity');
    node.kernel.apply([{ kind: 'element-add', table: node.table(), set: affinity, element: client }]);
    const report = await node.sync([sticky, ...ports], { changed: ports.map(({ key }) => key) });
    expect(report.failed.size).toBe(0);
    for (const name of ['sticky-addresses', 'sticky-endpoints']) {
      expect(setIn(node, name)?.size).toBe(1536);
      expect(setIn(node, name)?.elements.size).toBe(903);
    }
    expect(setIn(node, 'affinity')?.elements.size).toBe(1);
    const fresh = sampleNode();
    await fresh.sync([sticky, ...ports]);
    expect(tableMeaning(node.table())).toEqual(tableMeaning(fresh.table()));
    node.restart();
    expect(await node.sync([sticky, ...ports])).toMatchObject({ failed: new Map(), changes: 0 });
  });

  test('what was found may leave no room for what is wanted while it is taken over', async () => {
    const small = sampleNode();
    await small.sync(many(150));
    expect(setIn(small, 'sticky-endpoints')?.size).toBe(768);
    const others = many(200).map((port) => ({
      ...port,
      key: `other/${port.key}`,
      clusterIp: port.clusterIp.plus(1 << 16),
      clusterEndpoints: port.clusterEndpoints.slice(1),
    }));
    small.restart();
    const report = await small.sync(others);
    expect(report.failed.size).toBe(0);
    const fresh = sampleNode();
    await fresh.sync(others);
    expect(tableMeaning(small.table())).toEqual(tableMeaning(fresh.table()));
    expect(await small.sync(others)).toMatchObject({ changes: 0 });
  });
});

describe('ends', () => {
  test('a sync that is broken off goes on with the next', async () => {
    const node = sampleNode();
    const ports = Array.from({ length: 1200 }, (_, i) =>
      samplePort({ service: `s${i}`, clusterIp: `10.96.${i >> 8}.${i & 255}`, clusterEndpoints: three }),
    );
    await node.sync([]);
    const abort = new AbortController();
    const input = {
      ports: new Map(ports.map((port) => [port.key, port])),
      changed: new Set(ports.map(({ key }) => key)),
      context: sampleContext(),
    };
    const broken = node.mode.sync(input, abort.signal);
    abort.abort(new Error('enough'));
    await expect(broken).rejects.toThrow('enough');
    expect(node.table().sets.get('services')?.elements.size).toBe(portsAtOnce);
    const report = await node.mode.sync({ ...input, changed: new Set() }, never);
    expect(report).toMatchObject({ full: true, failed: new Map() });
    expect(node.table().sets.get('services')?.elements.size).toBe(1200);
  });

  test('clean-up takes the table and nothing else, and says what it leaves', async () => {
    const node = sampleNode();
    expect(await node.mode.cleanUp()).toEqual([]);
    node.kernel.apply([{ kind: 'table-add', table: { family: 'ip', name: 'theirs' } }]);
    await node.sync(all, { context: sampleContext({ localhostNodePorts: true }) });
    expect(await node.mode.cleanUp()).toEqual([
      'deleted table "ip netloom-proxy"',
      'left sysctl net/ipv4/conf/all/route_localnet at 1: set it to 0 unless something else needs it',
    ]);
    expect([...node.kernel.state.keys()]).toEqual(['ip theirs']);
    expect(await node.mode.cleanUp()).toEqual([]);
  });

  test('route_localnet is switched on where node ports are to be on 127.0.0.1, once the guard is there', async () => {
    let on = false;
    const node = sampleNode({
      localhost: {
        isOn: () => on,
        switchOn() {
          expect(node.table().rules.get('localhost-guard')).toHaveLength(1);
          on = true;
        },
      },
    });
    await node.sync(all);
    expect(on).toBe(false);
    await node.sync(all, { context: sampleContext({ localhostNodePorts: true }) });
    expect(on).toBe(true);
  });
});

/** The fields of a sample port that are written as text. */
function texts(port: ServicePort) {
  return {
    clusterIp: String(port.clusterIp),
    externalIps: port.externalIps.map(String),
    loadBalancerIps: port.loadBalancerIps.map(String),
    sourceRanges: port.sourceRanges?.map(String),
    localEndpoints: port.localEndpoints,
  };
}

/** Ports of some services with no address in common, in any order. */
const clusters: fc.Arbitrary<readonly ServicePort[]> = fc
  .uniqueArray(
    fc.record({
      number: fc.integer({ min: 0, max: 7 }),
      protocol: fc.constantFrom('tcp', 'udp'),
      endpoints: fc.subarray([...three, '10.244.0.6:8080', '10.244.0.7:8080', '10.244.3.7:8080']),
      internalPolicy: fc.constantFrom('Cluster', 'Local'),
      externalPolicy: fc.constantFrom('Cluster', 'Local'),
      affinitySeconds: fc.constantFrom(undefined, undefined, 60, 10800),
      nodePort: fc.boolean(),
      external: fc.boolean(),
      sourceRanges: fc.constantFrom(
        undefined,
        ['198.51.100.0/24'],
        ['192.0.2.0/24', '198.51.100.0/25'],
        ['0.0.0.0/0'],
      ),
      hasAnyEndpoint: fc.boolean(),
    }),
    { selector: ({ number }) => number, maxLength: 7 },
  )
  .map((services) =>
    services.map(({ number, endpoints, external, ...fields }) =>
      samplePort({
        ...fields,
        service: `s${number}`,
        clusterIp: `10.96.0.${number + 10}`,
        nodePort: fields.nodePort ? 30000 + number : undefined,
        externalIps: external ? [`192.0.2.${number + 100}`] : [],
        loadBalancerIps: external ? [`203.0.113.${number}`] : [],
        clusterEndpoints: endpoints,
        localEndpoints: endpoints.filter((text) => text.startsWith('10.244.0.')),
        hasAnyEndpoint: fields.hasAnyEndpoint || endpoints.length > 0,
      }),
    ),
  );
