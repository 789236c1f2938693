import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { IpvsStep } from '../../kernel/ipvs/objects.ts';
import { createFakeRouteDriver } from '../../kernel/route/fake.ts';
import { routeState } from '../../kernel/route/objects.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { createManualClock } from '../../runtime/manual-clock.ts';
import { sampleContext } from '../iptables/sample-context.ts';
import { type SamplePortFields, samplePort } from '../sample-services.ts';
import { type SampleNode, sampleKernels, sampleNode } from './sample-node.ts';
import { serviceLinkName } from './service-link.ts';

const ip = (text: string) => IpAddress.parse(text);
const vip = { protocol: 'tcp', address: ip('10.96.0.10'), port: 80 } as const;
const real = (text: string) => ({ address: ip(text), port: 80 });

const web: SamplePortFields = { clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80'] };
const samples: readonly SamplePortFields[] = [
  { service: 'a', clusterIp: '10.96.0.1', clusterEndpoints: ['10.0.0.1:80'] },
  {
    service: 'a',
    clusterIp: '10.96.0.1',
    clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80'],
    affinitySeconds: 60,
  },
  { service: 'a', clusterIp: '10.96.0.1' },
  {
    service: 'b',
    clusterIp: '10.96.0.2',
    nodePort: 30000,
    externalIps: ['192.0.2.7', '192.168.0.2'],
    loadBalancerIps: ['192.0.2.7'],
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
  {
    service: 'b',
    clusterIp: '10.96.0.2',
    externalIps: ['192.0.2.7'],
    externalPolicy: 'Local',
    clusterEndpoints: ['10.0.1.1:80'],
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

async function snapshot(node: SampleNode): Promise<unknown> {
  const rules: string[] = [];
  for (const table of ['filter', 'nat', 'mangle']) {
    const saved = await node.iptables.access(4).save(table);
    rules.push(...[...saved.chains.keys()].sort(), ...[...saved.rules].sort());
  }
  return { servers: node.servers(), sets: node.sets(), addresses: node.addresses(), rules };
}

let node: SampleNode;

beforeEach(() => {
  node = sampleNode();
});

describe('createIpvsMode', () => {
  test('a service is a virtual server, an address and entries', async () => {
    await node.set(samplePort(web));
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1']);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
    expect(node.sets()).toEqual({
      'KUBE-CLUSTER-IP': ['10.96.0.10,tcp:80'],
      'KUBE-IPVS-IPS': ['10.96.0.10'],
    });
    expect(node.route.link(serviceLinkName)).toMatchObject({ detail: { kind: 'dummy' }, up: false });
  });

  test('changes nothing when all is right, nor after a restart', async () => {
    for (const at of [0, 4, 6]) {
      const port = samplePort(samples[at]);
      node.ports.set(port.key, port);
    }
    expect((await node.all()).changes).toBeGreaterThan(20);
    expect(await node.all()).toMatchObject({ full: true, changes: 0, failed: new Map() });
    const before = await snapshot(node);
    const again = sampleNode({ kernels: node });
    for (const [key, port] of node.ports) again.ports.set(key, port);
    expect((await again.all()).changes).toBe(0);
    expect(await snapshot(again)).toEqual(before);
    expect(again.mode.changed()).toBe(false);
  });

  test('changes one by one come to the same as a fresh start', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ sample: fc.nat(samples.length - 1), present: fc.boolean() }), { maxLength: 8 }),
        async (steps) => {
          const walked = sampleNode();
          await walked.all();
          for (const { sample, present } of steps) {
            const port = samplePort(samples[sample]);
            const report = present ? await walked.set(port) : await walked.remove(port);
            expect(report).toMatchObject({ full: false, failed: new Map() });
          }
          const fresh = sampleNode();
          for (const [key, port] of walked.ports) fresh.ports.set(key, port);
          await fresh.all();
          // The link is made when it is first needed, and stays.
          expect(await snapshot(walked)).toEqual(await snapshot(fresh));
          expect((await walked.all()).changes).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('one endpoint more is one step, whatever else there is', async () => {
    for (let i = 0; i < 50; i++) {
      const port = samplePort({
        service: `s${i}`,
        clusterIp: `10.96.1.${i}`,
        clusterEndpoints: ['10.0.9.1:80'],
      });
      node.ports.set(port.key, port);
    }
    await node.set(samplePort({ clusterEndpoints: ['10.0.0.1:80'] }));
    const { saves } = node.iptables;
    const before = { steps: node.ipvs.applied.length, sets: node.ipset.applied };
    const report = await node.set(samplePort(web));
    expect(report).toMatchObject({ full: false, changes: 1 });
    expect(node.ipvs.applied.slice(before.steps).map(({ kind }) => kind)).toEqual(['real-add']);
    expect([node.iptables.saves, node.ipset.applied]).toEqual([saves, before.sets]);
  });

  test('what a packet needs comes before the address, and goes after it', async () => {
    const order: string[] = [];
    const kernels = sampleKernels();
    const ordered = sampleNode({
      kernels: {
        ...kernels,
        route: {
          ...kernels.route,
          link: (name) => kernels.route.link(name),
          addressesOn: (name) => kernels.route.addressesOn(name),
          apply(steps) {
            for (const step of steps)
              if (step.kind.startsWith('address'))
                order.push(
                  `${step.kind}: ${ordered.servers().length} servers, ${ordered.sets()['KUBE-CLUSTER-IP']?.length ?? 0} entries`,
                );
            return kernels.route.apply(steps);
          },
        },
      },
    });
    await ordered.all();
    await ordered.set(samplePort(web));
    await ordered.remove(samplePort(web));
    expect(order).toEqual(['address-add: 1 servers, 1 entries', 'address-delete: 1 servers, 1 entries']);
    expect(ordered.servers()).toEqual([]);
  });

  test('addresses of the node are not bound', async () => {
    await node.set(samplePort({ ...web, externalIps: ['192.168.0.2', '192.0.2.7'] }));
    expect(node.addresses()).toEqual(['10.96.0.10/32', '192.0.2.7/32']);
    expect(node.servers()).toHaveLength(3);
    const context = sampleContext({
      dropInvalid: false,
      localhostNodePorts: false,
      nodeIps: [ip('192.168.0.2'), ip('192.0.2.7')],
    });
    await node.all(context);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
    expect((await node.all(context)).changes).toBe(0);
  });

  test('a node port is a virtual server at each address of the node', async () => {
    await node.set(samplePort({ ...web, nodePort: 30000 }));
    expect(node.servers()[1]).toBe('tcp 192.168.0.2:30000 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1');
    expect(node.sets()['KUBE-NODE-PORT-TCP']).toEqual(['30000']);
  });

  test('the address of a service goes before a node port of another', async () => {
    await node.set(
      samplePort({
        service: 'one',
        clusterIp: '10.96.0.1',
        nodePort: 30000,
        clusterEndpoints: ['10.0.0.1:80'],
      }),
      samplePort({
        service: 'two',
        clusterIp: '10.96.0.2',
        port: 30000,
        externalIps: ['192.168.0.2'],
        clusterEndpoints: ['10.0.0.2:80'],
      }),
    );
    expect(node.servers()).toContain('tcp 192.168.0.2:30000 rr -> 10.0.0.2:80 1');
    await node.remove(samplePort({ service: 'two' }));
    expect(node.servers()).toContain('tcp 192.168.0.2:30000 rr -> 10.0.0.1:80 1');
  });

  test('IPv6 has its own names', async () => {
    const six = sampleNode({ family: 6 });
    await six.set(samplePort({ family: 6, clusterEndpoints: ['[fd00:10::1]:80'] }));
    expect(six.servers()).toEqual(['tcp [fd00:96::10]:80 rr -> [fd00:10::1]:80 1']);
    expect(six.addresses()).toEqual(['fd00:96::10/128']);
    expect(Object.keys(six.sets())).toEqual(['KUBE-6-CLUSTER-IP', 'KUBE-6-IPVS-IPS']);
    expect((await six.all()).changes).toBe(0);
  });
});

describe('connections', () => {
  beforeEach(async () => {
    await node.set(samplePort(web));
    node.ipvs.setConnections(vip, real('10.0.0.1'), { activeConnections: 2 });
  });

  test('a real server that goes keeps them, and takes no new ones', async () => {
    await node.set(samplePort({ clusterEndpoints: ['10.0.0.2:80'] }));
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 0, 10.0.0.2:80 1']);
    expect((await node.all()).changes).toBe(0);
    node.ipvs.setConnections(vip, real('10.0.0.1'), { activeConnections: 0, inactiveConnections: 1 });
    await node.all();
    expect(node.servers()[0]).toContain('10.0.0.1:80 0');
    node.ipvs.setConnections(vip, real('10.0.0.1'), { inactiveConnections: 0 });
    expect((await node.all()).changes).toBe(1);
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.2:80 1']);
  });

  test('one that comes back has its weight again, after a restart too', async () => {
    await node.set(samplePort({ clusterEndpoints: ['10.0.0.2:80'] }));
    const again = sampleNode({ kernels: node });
    await again.set(samplePort(web));
    expect(again.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1']);
  });

  test('a service that loses its endpoints refuses new ones', async () => {
    await node.set(samplePort());
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 0']);
    expect(node.sets()['KUBE-NO-ENDPOINTS']).toEqual(['10.96.0.10,tcp:80']);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
    await node.set(samplePort(web));
    expect(node.sets()['KUBE-NO-ENDPOINTS']).toBeUndefined();
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1']);
  });

  test('a service that goes keeps its address as long', async () => {
    await node.remove(samplePort());
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 0']);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
    expect(node.sets()['KUBE-CLUSTER-IP']).toBeUndefined();
    expect(node.sets()['KUBE-IPVS-IPS']).toEqual(['10.96.0.10']);
    expect((await node.all()).changes).toBe(0);
    node.ipvs.setConnections(vip, real('10.0.0.1'), { activeConnections: 0 });
    await node.all();
    expect([node.servers(), node.addresses(), node.sets()]).toEqual([[], [], {}]);
  });

  test('are looked at again each minute, whatever else happens', async () => {
    const timers: (() => void)[] = [];
    const timed = sampleNode({
      kernels: node,
      clock: {
        now: () => 0,
        setTimer: (milliseconds, fire) => {
          expect(milliseconds).toBe(60_000);
          timers.push(fire);
          return () => {};
        },
      },
    });
    timed.ports.set(samplePort().key, samplePort(web));
    await timed.all();
    await timed.remove(samplePort());
    timers.shift()?.();
    await timed.set();
    expect(timed.servers()).toHaveLength(1);
    node.ipvs.setConnections(vip, real('10.0.0.1'), { activeConnections: 0 });
    timers.at(-1)?.();
    await timed.set();
    expect([timed.servers(), timed.addresses(), timed.sets()]).toEqual([[], [], {}]);
  });

  test('changes meanwhile do not put that off', async () => {
    const clock = createManualClock();
    const timed = sampleNode({ kernels: node, clock });
    timed.ports.set(samplePort().key, samplePort(web));
    await timed.all();
    await timed.remove(samplePort());
    node.ipvs.setConnections(vip, real('10.0.0.1'), { activeConnections: 0 });
    for (let i = 0; i < 7; i++) {
      await clock.advance(10_000);
      await timed.set();
    }
    expect([timed.servers(), timed.addresses(), timed.sets()]).toEqual([[], [], {}]);
  });

  test('of UDP nobody waits for', async () => {
    const dns: SamplePortFields = {
      protocol: 'udp',
      port: 53,
      clusterEndpoints: ['10.0.0.1:53', '10.0.0.2:53'],
    };
    await node.set(samplePort(dns));
    const id = { protocol: 'udp', address: vip.address, port: 53 } as const;
    node.ipvs.setConnections(id, { address: ip('10.0.0.1'), port: 53 }, { activeConnections: 9 });
    await node.set(samplePort({ ...dns, clusterEndpoints: ['10.0.0.2:53'] }));
    expect(node.servers()).toContain('udp 10.96.0.10:53 rr -> 10.0.0.2:53 1');
    await node.remove(samplePort(dns));
    expect(node.servers().filter((one) => one.startsWith('udp'))).toEqual([]);
  });

  test("a node port's virtual server that drains is still told to be ours", async () => {
    const port = samplePort({
      service: 'np',
      clusterIp: '10.96.0.11',
      nodePort: 30000,
      clusterEndpoints: ['10.0.0.1:80'],
    });
    await node.set(port);
    const id = { protocol: 'tcp', address: ip('192.168.0.2'), port: 30000 } as const;
    node.ipvs.setConnections(id, real('10.0.0.1'), { activeConnections: 1 });
    await node.remove(port);
    expect(node.sets()['KUBE-NODE-PORT-TCP']).toEqual(['30000']);
    node.ipvs.setConnections(id, real('10.0.0.1'), { activeConnections: 0 });
    await node.all();
    expect(node.sets()['KUBE-NODE-PORT-TCP']).toBeUndefined();
  });
});

describe('what fails', () => {
  const bad = samplePort({ service: 'bad', clusterIp: '10.96.0.66', clusterEndpoints: ['10.0.0.66:80'] });
  const isBad = (step: IpvsStep) => step.kind === 'real-add' && step.real.address.toString() === '10.0.0.66';

  test('is one port; the others go on', async () => {
    const stop = node.ipvs.fail(isBad, 'EINVAL');
    const report = await node.set(samplePort(web), bad);
    expect([...report.failed.keys()]).toEqual([bad.key]);
    expect(report.failed.get(bad.key)?.message).toMatch(
      /^Cannot program service port "ns\/bad\/tcp": .*10\.0\.0\.66:80/,
    );
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1']);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
    stop();
    expect((await node.set(bad)).failed.size).toBe(0);
    expect(node.servers()).toHaveLength(2);
  });

  test('keeps what it had, and is tried again', async () => {
    await node.set(samplePort(web));
    const stop = node.ipvs.fail(isBad, 'EINVAL');
    const worse = samplePort({ clusterEndpoints: ['10.0.0.66:80'], affinitySeconds: 60, port: 80 });
    expect((await node.set(worse)).failed.size).toBe(1);
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1']);
    expect((await node.all()).failed.size).toBe(1);
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1, 10.0.0.2:80 1']);
    stop();
    expect((await node.set(worse)).failed.size).toBe(0);
    expect(node.servers()).toEqual(['tcp 10.96.0.10:80 rr 60s -> 10.0.0.66:80 1']);
  });

  test('an address that cannot be bound', async () => {
    const stop = node.route.fail((step) => step.kind === 'address-add');
    const report = await node.set(samplePort(web));
    expect(report.failed.get(samplePort().key)?.message).toMatch(/10\.96\.0\.10\/32/);
    stop();
    expect((await node.set(samplePort(web))).failed.size).toBe(0);
    expect(node.addresses()).toEqual(['10.96.0.10/32']);
  });

  test('a name that cannot stand in a rule', async () => {
    const named = samplePort({ ...samples[4], service: 'a b' });
    const report = await node.set(named, samplePort(samples[0]));
    expect([...report.failed.keys()]).toEqual([named.key]);
    expect(node.servers()).toHaveLength(1);
  });

  test('a removal that the kernel refuses is tried again with all', async () => {
    await node.set(samplePort(web));
    const stop = node.ipvs.fail((step) => step.kind === 'server-delete');
    await expect(node.remove(samplePort())).rejects.toThrow(/10\.96\.0\.10:80/);
    stop();
    const report = await node.set();
    expect(report.full).toBe(true);
    expect(node.servers()).toEqual([]);
  });

  test('a set that is full grows', async () => {
    const set = { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 4, maxElements: 4 } as const;
    node.ipset.access().apply([{ kind: 'set-create', set }]);
    const ports = [1, 2, 3, 4, 5, 6].map((i) =>
      samplePort({ service: `s${i}`, clusterIp: `10.96.0.${i}`, clusterEndpoints: ['10.0.0.1:80'] }),
    );
    for (const port of ports) expect((await node.set(port)).failed.size).toBe(0);
    expect(node.sets()['KUBE-CLUSTER-IP']).toHaveLength(6);
    const header = node.ipset
      .access()
      .headers()
      .find(({ name }) => name === 'KUBE-CLUSTER-IP');
    expect(header?.maxElements).toBeGreaterThan(6);
    expect((await node.all()).changes).toBe(0);
  });

  test('a link of another kind', async () => {
    const route = createFakeRouteDriver(
      routeState({ links: [{ name: serviceLinkName, detail: { kind: 'bridge' } }] }),
    );
    const other = sampleNode({ kernels: { ...sampleKernels(), route } });
    await expect(other.all()).rejects.toThrow(/another kind than dummy/);
  });
});

describe('what others change', () => {
  beforeEach(async () => {
    for (const at of [0, 4, 6]) {
      const port = samplePort(samples[at]);
      node.ports.set(port.key, port);
    }
    await node.all();
  });

  const a = { protocol: 'tcp', address: ip('10.96.0.1'), port: 80 } as const;
  const breakages: readonly (readonly [string, (to: SampleNode) => unknown])[] = [
    ['all virtual servers', (to) => to.ipvs.flush()],
    ['a virtual server', (to) => to.ipvs.access().apply([{ kind: 'server-delete', server: a }])],
    [
      'a weight',
      (to) =>
        to.ipvs
          .access()
          .apply([{ kind: 'real-change', server: a, real: { ...real('10.0.0.1'), weight: 7 } }]),
    ],
    ['a real server without NAT', (to) => to.ipvs.disturb(a, real('10.0.0.1'))],
    ['options of a virtual server', (to) => to.ipvs.disturb(a)],
    [
      'a real server too many',
      (to) =>
        to.ipvs.access().apply([{ kind: 'real-add', server: a, real: { ...real('10.0.0.9'), weight: 1 } }]),
    ],
    [
      'a virtual server too many',
      (to) =>
        to.ipvs.access().apply([
          {
            kind: 'server-add',
            server: { ...a, port: 81, scheduler: 'rr', persistentSeconds: undefined, hashesPort: false },
          },
        ]),
    ],
    [
      'an entry',
      (to) =>
        to.ipset.access().apply([
          {
            kind: 'entry-delete',
            set: { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 4, maxElements: 65536 },
            entry: a,
          },
        ]),
    ],
    [
      'an address',
      (to) =>
        to.route.apply([
          {
            kind: 'address-delete',
            address: { link: serviceLinkName, prefix: Prefix.parse('10.96.0.1/32') },
          },
        ]),
    ],
    [
      'an address too many',
      (to) =>
        to.route.apply([
          { kind: 'address-add', address: { link: serviceLinkName, prefix: Prefix.parse('10.96.0.9/24') } },
        ]),
    ],
    [
      'the link',
      (to) =>
        to.route.apply([{ kind: 'link-delete', link: { name: serviceLinkName, detail: { kind: 'dummy' } } }]),
    ],
    [
      'the filter',
      async (to) => await to.iptables.access(4).restore('*filter\n-F KUBE-IPVS-FILTER\nCOMMIT\n'),
    ],
    ['the services', async (to) => await to.iptables.access(4).restore('*nat\n-F KUBE-SERVICES\nCOMMIT\n')],
    [
      'the node ports',
      async (to) => await to.iptables.access(4).restore('*nat\n-F KUBE-NODE-PORT\nCOMMIT\n'),
    ],
    ['all of INPUT', async (to) => await to.iptables.access(4).restore('*filter\n-F INPUT\nCOMMIT\n')],
  ];

  test.each(breakages)('%s is mended', async (_, change) => {
    const before = await snapshot(node);
    await change(node);
    expect(await snapshot(node)).not.toEqual(before);
    expect((await node.all()).changes).toBeGreaterThan(0);
    expect(await snapshot(node)).toEqual(before);
    expect((await node.all()).changes).toBe(0);
  });

  test('a set of another type is made anew, under the rules that ask it', async () => {
    const before = await snapshot(node);
    const header = { type: 'hash:net', family: 2, maxElements: 100, references: 0, isPlain: true };
    node.ipset.put({ header: { ...header, name: 'KUBE-LOOP-BACK' }, entries: new Map() });
    await node.all();
    expect(await snapshot(node)).toEqual(before);
  });

  test('a change finds out by itself when a virtual server is gone', async () => {
    node.ipvs.flush();
    expect(node.mode.changed()).toBe(true);
    const report = await node.set(
      samplePort({ ...samples[0], clusterEndpoints: ['10.0.0.1:80', '10.0.0.5:80'] }),
    );
    expect(report).toMatchObject({ full: true, failed: new Map() });
    expect(node.servers().length).toBeGreaterThan(4);
  });

  test('is seen: one virtual server and some sets are looked at each time', async () => {
    expect(node.mode.changed()).toBe(false);
    node.ipvs.access().apply([{ kind: 'server-delete', server: a }]);
    const seen = Array.from({ length: 20 }, () => node.mode.changed());
    expect(seen).toContain(true);
    await node.all();
    const set = {
      name: 'KUBE-LOAD-BALANCER-FW',
      type: 'hash:ip,port',
      family: 4,
      maxElements: 65536,
    } as const;
    node.ipset.access().apply([{ kind: 'entry-delete', set, entry: { ...a, address: ip('192.0.2.7') } }]);
    expect(Array.from({ length: 6 }, () => node.mode.changed())).toContain(true);
  });

  test("virtual servers in excluded networks are others'", async () => {
    const theirs = {
      ...a,
      address: ip('203.0.113.1'),
      scheduler: 'wlc',
      persistentSeconds: undefined,
      hashesPort: false,
    };
    const excluding = sampleNode({ choices: { excludePrefixes: [Prefix.parse('203.0.113.0/24')] } });
    excluding.ipvs.access().apply([{ kind: 'server-add', server: theirs }]);
    await excluding.all();
    expect(excluding.servers()).toEqual(['tcp 203.0.113.1:80 wlc -> ']);
    await excluding.mode.cleanUp();
    expect(excluding.servers()).toEqual(['tcp 203.0.113.1:80 wlc -> ']);
    node.ipvs.access().apply([{ kind: 'server-add', server: theirs }]);
    await node.all();
    expect(node.servers().join()).not.toContain('203.0.113.1');
  });
});

test('cleans up all that it made, and nothing else', async () => {
  const theirs =
    '*nat\n:CNI-HOSTPORT-DNAT - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\nCOMMIT\n';
  await node.iptables.access(4).restore(theirs);
  const before = await snapshot(node);
  await node.set(...[1, 4, 6].map((at) => samplePort(samples[at])));
  const words = await node.mode.cleanUp();
  expect(words.join('\n')).toMatch(
    /virtual servers[\s\S]*kube-ipvs0[\s\S]*ipset KUBE-CLUSTER-IP[\s\S]*link kube-ipvs0/,
  );
  expect(await snapshot(node)).toEqual(before);
  expect(node.ipset.access().headers()).toEqual([]);
  expect(node.route.link(serviceLinkName)).toBeUndefined();
  expect(await node.mode.cleanUp()).toEqual([]);
});

test('the schedulers that the operator chose', async () => {
  const hashing = sampleNode({ choices: { scheduler: 'mh' } });
  await hashing.set(samplePort(web));
  expect(hashing.ipvs.access().server(vip)).toMatchObject({ scheduler: 'mh', hashesPort: true });
  await node.set(samplePort(web));
  const after = sampleNode({ kernels: node, choices: { scheduler: 'lc' } });
  after.ports.set(samplePort().key, samplePort(web));
  expect((await after.all()).changes).toBe(1);
  expect(after.ipvs.access().server(vip)?.scheduler).toBe('lc');
});
