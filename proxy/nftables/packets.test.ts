// Packets walked through the table in the fake kernel: what becomes of them, whichever way random numbers fall.
import { describe, expect, test } from '@jest/globals';
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { type Packet, packet } from '../../kernel/nft/packet.ts';
import type { NftDriver, NftStep } from '../../kernel/nft/step.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { RuleContext } from '../rule-context.ts';
import { samplePort } from '../sample-services.ts';
import type { ServicePort } from '../service-port.ts';
import { sampleContext, sampleNode } from './sample-node.ts';

const local = '10.244.0.5:8080';
const here = '10.244.0.6:8080';
const remote = '10.244.1.5:8080';

/** The node has 192.0.2.1 and 127.0.0.1. */
const addressType = (address: IpAddress) =>
  address.isLoopback || ['192.0.2.1', '2001:db8::1'].includes(String(address)) ? 'local' : 'unicast';
const addressOf = (_: string | undefined, family: 4 | 6) =>
  IpAddress.parse(family === 4 ? '192.0.2.1' : '2001:db8::1');

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly dport?: number;
  readonly protocol?: number;
  readonly iif?: string;
  /** By the node itself. */
  readonly output?: boolean;
}

function first({ from, to, dport = 80, protocol = 6, iif = 'eth0', output = false }: Sent): Packet {
  const saddr = IpAddress.parse(from);
  const daddr = IpAddress.parse(to);
  return output
    ? packet({ hook: 'output', saddr, daddr, protocol, dport, oif: 'eth0' })
    : packet({ hook: 'prerouting', saddr, daddr, protocol, dport, iif });
}

/** All that may become of it: "refused", "dropped", "as it is", or where it goes, and "hidden" when it is masqueraded. */
function ends(kernel: FakeNftKernel, sent: Sent): readonly string[] {
  const found = new Set<string>();
  for (const { evaluation, kernel: after } of kernel.outcomes(first(sent), { addressType })) {
    const { verdict, packet: out } = evaluation;
    if (verdict !== 'accept') {
      found.add(verdict === 'drop' ? 'dropped' : 'refused');
      continue;
    }
    const left = after.evaluate(
      { ...out, hook: 'postrouting', oif: 'cni0' },
      { random: () => 0, addressType, addressOf },
    );
    expect(left.packet.mark).toBe(0);
    if (out.ct.dnat === true) expect(left.packet.priority).toBe(0);
    const hidden = left.packet.ct.snat === true ? ' hidden' : '';
    found.add(out.ct.dnat === true ? `${out.daddr}:${out.dport}${hidden}` : `as it is${hidden}`);
  }
  return [...found].sort();
}

async function loaded(ports: readonly ServicePort[], context: Partial<RuleContext> = {}) {
  const full = sampleContext(context);
  const node = sampleNode({ family: full.family });
  expect((await node.sync(ports, { context: full })).failed.size).toBe(0);
  return { node, ends: (sent: Sent) => ends(node.kernel, sent), context: full };
}

const pod = { from: '10.244.0.9', iif: 'cni0' };
const outside = { from: '198.51.100.7' };
const node = { from: '192.0.2.1', output: true };
const vip = { to: '10.96.0.10' };
const nodePort = { to: '192.0.2.1', dport: 30080 };
const balancer = { to: '203.0.113.1' };
const external = { to: '192.0.2.99' };

const fields = { nodePort: 30080, externalIps: ['192.0.2.99'], loadBalancerIps: ['203.0.113.1'] };
const both = { clusterEndpoints: [local, remote], localEndpoints: [local] };

const all = ['10.244.0.5:8080', '10.244.1.5:8080'];
const hidden = all.map((one) => `${one} hidden`);
const onlyLocal = ['10.244.0.5:8080'];

describe('policies', () => {
  const cases: readonly {
    readonly name: string;
    readonly port: ServicePort;
    readonly expected: readonly (readonly [string, Sent, readonly string[]])[];
  }[] = [
    {
      name: 'Cluster',
      port: samplePort({ ...fields, ...both }),
      expected: [
        ['pod to cluster IP', { ...pod, ...vip }, all],
        ['outside to cluster IP', { ...outside, ...vip }, hidden],
        ['node to cluster IP', { ...node, ...vip }, hidden],
        ['pod to node port', { ...pod, ...nodePort }, hidden],
        ['outside to node port', { ...outside, ...nodePort }, hidden],
        ['node to node port', { ...node, ...nodePort }, hidden],
        ['outside to balancer IP', { ...outside, ...balancer }, hidden],
        ['outside to external IP', { ...outside, ...external }, hidden],
        [
          'an endpoint to itself',
          { from: '10.244.0.5', iif: 'cni0', ...vip },
          ['10.244.0.5:8080 hidden', '10.244.1.5:8080'],
        ],
        ['another port of the cluster IP', { ...pod, ...vip, dport: 81 }, ['refused']],
        ['another protocol', { ...pod, ...vip, protocol: 17 }, ['refused']],
        ['ping of the cluster IP', { ...pod, ...vip, protocol: 1, dport: 0 }, ['refused']],
        ['another port of the node', { ...outside, to: '192.0.2.1', dport: 22 }, ['as it is']],
        [
          'the node port on an address that is not the node',
          { ...outside, to: '198.51.100.9', dport: 30080 },
          ['as it is'],
        ],
        [
          'the node port on 127.0.0.1',
          { from: '127.0.0.1', output: true, to: '127.0.0.1', dport: 30080 },
          ['as it is'],
        ],
        ['other traffic', { ...pod, to: '10.244.3.3' }, ['as it is']],
      ],
    },
    {
      name: 'internal Local',
      port: samplePort({ ...fields, ...both, internalPolicy: 'Local' }),
      expected: [
        ['pod to cluster IP', { ...pod, ...vip }, onlyLocal],
        ['outside to node port', { ...outside, ...nodePort }, hidden],
      ],
    },
    {
      name: 'internal Local without local endpoints',
      port: samplePort({ ...fields, clusterEndpoints: [remote], internalPolicy: 'Local' }),
      expected: [
        ['pod to cluster IP', { ...pod, ...vip }, ['dropped']],
        ['outside to node port', { ...outside, ...nodePort }, ['10.244.1.5:8080 hidden']],
      ],
    },
    {
      name: 'external Local',
      port: samplePort({ ...fields, ...both, externalPolicy: 'Local' }),
      expected: [
        ['outside to node port', { ...outside, ...nodePort }, onlyLocal],
        ['outside to balancer IP', { ...outside, ...balancer }, onlyLocal],
        ['pod to balancer IP', { ...pod, ...balancer }, all],
        ['node to balancer IP', { ...node, ...balancer }, hidden],
        ['node to node port', { ...node, ...nodePort }, hidden],
        ['outside to cluster IP', { ...outside, ...vip }, hidden],
      ],
    },
    {
      name: 'external Local without local endpoints',
      port: samplePort({ ...fields, clusterEndpoints: [remote], externalPolicy: 'Local' }),
      expected: [
        ['outside to node port', { ...outside, ...nodePort }, ['dropped']],
        ['pod to node port', { ...pod, ...nodePort }, ['10.244.1.5:8080']],
        ['node to balancer IP', { ...node, ...balancer }, ['10.244.1.5:8080 hidden']],
      ],
    },
    {
      name: 'no endpoint at all',
      port: samplePort({ ...fields, externalPolicy: 'Local', internalPolicy: 'Local' }),
      expected: [
        ['pod to cluster IP', { ...pod, ...vip }, ['refused']],
        ['node to cluster IP', { ...node, ...vip }, ['refused']],
        ['outside to node port', { ...outside, ...nodePort }, ['refused']],
        ['outside to balancer IP', { ...outside, ...balancer }, ['refused']],
      ],
    },
    {
      name: 'source ranges',
      port: samplePort({
        ...fields,
        ...both,
        sourceRanges: ['198.51.100.0/25', '198.51.100.0/24', '10.0.0.0/8'],
      }),
      expected: [
        ['allowed to balancer IP', { ...outside, ...balancer }, hidden],
        ['pod to balancer IP', { ...pod, ...balancer }, hidden],
        ['others to balancer IP', { from: '203.0.113.77', ...balancer }, ['dropped']],
        ['the balancer to itself', { from: '203.0.113.1', ...balancer }, ['dropped']],
        ['the node to balancer IP', { ...node, ...balancer }, ['dropped']],
        ['others to node port', { from: '203.0.113.77', ...nodePort }, hidden],
        ['others to external IP', { from: '203.0.113.77', ...external }, hidden],
        ['others to cluster IP', { from: '203.0.113.77', ...vip }, hidden],
      ],
    },
    {
      name: 'source ranges with the node',
      port: samplePort({ ...fields, ...both, sourceRanges: ['192.0.2.0/24'] }),
      expected: [
        ['the node to balancer IP', { ...node, ...balancer }, hidden],
        ['the balancer to itself', { from: '203.0.113.1', ...balancer }, hidden],
        ['others to balancer IP', { ...outside, ...balancer }, ['dropped']],
      ],
    },
    {
      name: 'source ranges without endpoints',
      port: samplePort({ ...fields, sourceRanges: ['198.51.100.0/24'] }),
      expected: [
        ['allowed', { ...outside, ...balancer }, ['refused']],
        ['others', { from: '203.0.113.77', ...balancer }, ['dropped']],
      ],
    },
  ];

  test.each(cases)('$name', async ({ port, expected }) => {
    const { ends } = await loaded([port]);
    const found = expected.map(([name, sent]) => [name, ends(sent)]);
    expect(found).toEqual(expected.map(([name, , result]) => [name, result]));
  });
});

describe('the node', () => {
  const web = samplePort({ ...fields, ...both });
  const external = samplePort({ ...fields, ...both, externalPolicy: 'Local' });

  test('pods are told by their bridge', async () => {
    const { ends } = await loaded([external], { localDetector: { kind: 'bridge', link: 'cni0' } });
    expect(ends({ ...pod, ...vip })).toEqual(all);
    expect(ends({ ...pod, iif: 'eth0', ...vip })).toEqual(hidden);
    expect(ends({ ...node, ...vip })).toEqual(hidden);
    expect(ends({ ...pod, ...balancer })).toEqual(all);
    expect(ends({ ...outside, ...balancer })).toEqual(onlyLocal);
  });

  test('pods are told by the beginning of their links', async () => {
    const { ends } = await loaded([web], { localDetector: { kind: 'link-prefix', prefix: 'veth' } });
    expect(ends({ ...pod, iif: 'veth12', ...vip })).toEqual(all);
    expect(ends({ ...pod, iif: 'eth0', ...vip })).toEqual(hidden);
    expect(ends({ ...node, ...vip })).toEqual(hidden);
  });

  test('pods are not told at all', async () => {
    const { ends } = await loaded([external], { localDetector: { kind: 'none' } });
    expect(ends({ ...outside, ...vip })).toEqual(all);
    expect(ends({ ...pod, ...balancer })).toEqual(onlyLocal);
    expect(ends({ ...node, ...balancer })).toEqual(hidden);
  });

  test('everything is masqueraded', async () => {
    const { ends } = await loaded([web], { masqueradeAll: true });
    expect(ends({ ...pod, ...vip })).toEqual(hidden);
  });

  test('node ports on some addresses', async () => {
    const { ends } = await loaded([web], { nodePortIps: [IpAddress.parse('192.0.2.2')] });
    expect(ends({ ...outside, to: '192.0.2.2', dport: 30080 })).toEqual(hidden);
    expect(ends({ ...outside, ...nodePort })).toEqual(['as it is']);
    expect(ends({ from: '127.0.0.1', output: true, to: '127.0.0.1', dport: 30080 })).toEqual(['as it is']);
  });

  test.each([{ nodePortIps: 'all' as const }, { nodePortIps: [IpAddress.parse('192.0.2.2')] }])(
    'node ports on 127.0.0.1, but not from outside: $nodePortIps',
    async (context) => {
      const { ends } = await loaded([web], { ...context, localhostNodePorts: true });
      const own = { from: '127.0.0.1', output: true, to: '127.0.0.1', dport: 30080 };
      expect(ends(own)).toEqual(hidden);
      expect(ends({ ...own, to: '127.0.0.53' })).toEqual(hidden);
      expect(ends({ ...outside, to: '127.0.0.1', dport: 30080 })).toEqual(['dropped']);
      expect(ends({ ...outside, to: '127.0.0.1', dport: 22 })).toEqual(['dropped']);
      expect(ends({ ...own, iif: 'lo', output: false, dport: 22 })).toEqual(['as it is']);
    },
  );

  test('addresses of service networks that no service has', async () => {
    const { ends } = await loaded([web], { serviceNetworks: [Prefix.parse('10.96.0.0/12')] });
    expect(ends({ ...pod, to: '10.97.1.1' })).toEqual(['dropped']);
    expect(ends({ ...pod, ...vip })).toEqual(all);
    expect(ends({ ...pod, ...vip, dport: 81 })).toEqual(['refused']);
  });

  test('IPv6', async () => {
    const port = samplePort({
      family: 6,
      nodePort: 30080,
      externalPolicy: 'Local',
      loadBalancerIps: ['2001:db8:9::1'],
      sourceRanges: ['2001:db8:7::/48'],
      clusterEndpoints: ['[fd00:10:244::5]:8080', '[fd00:10:244:1::5]:8080'],
      localEndpoints: ['[fd00:10:244::5]:8080'],
    });
    const { ends } = await loaded([port], { family: 6, localhostNodePorts: true });
    const six = ['fd00:10:244:1::5:8080', 'fd00:10:244::5:8080'];
    const outside = { from: '2001:db8:7::7' };
    expect(ends({ from: 'fd00:10:244::9', to: 'fd00:96::10' })).toEqual(six);
    expect(ends({ ...outside, to: '2001:db8:9::1' })).toEqual(['fd00:10:244::5:8080']);
    expect(ends({ from: '2001:db8:8::7', to: '2001:db8:9::1' })).toEqual(['dropped']);
    expect(ends({ ...outside, to: '2001:db8::1', dport: 30080 })).toEqual(['fd00:10:244::5:8080']);
    expect(ends({ from: '::1', output: true, to: '::1', dport: 30080 })).toEqual(['as it is']);
    expect(ends({ from: 'fd00:10:244::5', to: 'fd00:96::10' })).toEqual([six[0], `${six[1]} hidden`]);
    expect(ends({ from: 'fd00:10:244::9', to: 'fd00:96::10', dport: 1 })).toEqual(['refused']);
  });
});

describe('affinity', () => {
  const sticky = (endpoints: readonly string[], more: Parameters<typeof samplePort>[0] = {}) =>
    samplePort({
      ...fields,
      affinitySeconds: 10800,
      clusterEndpoints: endpoints,
      localEndpoints: endpoints.filter((one) => one.startsWith('10.244.0.')),
      ...more,
    });
  const three = [local, here, remote];

  /** Sends one packet for good: what it leaves in the map stays. */
  function send({ kernel }: { readonly kernel: FakeNftKernel }, sent: Sent, random: number): string {
    const { verdict, packet: out } = kernel.evaluate(first(sent), { random: () => random, addressType });
    return verdict === 'accept' ? `${out.daddr}:${out.dport}` : verdict;
  }

  test('a client keeps its endpoint, by whatever address it comes', async () => {
    const { node, ends } = await loaded([sticky(three)]);
    expect(ends({ ...outside, ...vip })).toHaveLength(3);
    const got = send(node, { ...outside, ...vip }, 1);
    expect(got).toBe(here);
    for (const to of [vip, nodePort, balancer])
      expect(ends({ ...outside, ...to })).toEqual([`${got} hidden`]);
    expect(ends({ from: '198.51.100.8', ...vip })).toHaveLength(3);
    expect(node.table().sets.get('affinity')?.elements.size).toBe(1);
  });

  test('it stays when others come and go, also over a restart', async () => {
    const { node, context } = await loaded([sticky(three)]);
    const got = send(node, { ...outside, ...vip }, 2);
    expect(got).toBe(remote);
    const fewer = sticky([here, remote, '10.244.3.3:8080']);
    await node.sync([fewer], { changed: [fewer.key], context });
    expect(ends(node.kernel, { ...outside, ...vip })).toEqual([`${got} hidden`]);
    node.restart();
    expect(await node.sync([fewer], { context })).toMatchObject({ changes: 0 });
    expect(ends(node.kernel, { ...outside, ...vip })).toEqual([`${got} hidden`]);
    const more = sticky([...three, '10.244.3.3:8080', '10.244.3.4:8080']);
    await node.sync([more], { changed: [more.key], context });
    expect(ends(node.kernel, { ...outside, ...vip })).toEqual([`${got} hidden`]);
  });

  test('a client whose endpoint is gone draws anew, and keeps that', async () => {
    const { node, context } = await loaded([sticky(three)]);
    expect(send(node, { ...outside, ...vip }, 0)).toBe(local);
    const fewer = sticky([here, remote]);
    await node.sync([fewer], { changed: [fewer.key], context });
    expect(ends(node.kernel, { ...outside, ...vip })).toEqual([`${here} hidden`, `${remote} hidden`]);
    expect(send(node, { ...outside, ...vip }, 1)).toBe(here);
    expect(ends(node.kernel, { ...outside, ...vip })).toEqual([`${here} hidden`]);
    expect(node.table().sets.get('affinity')?.elements.size).toBe(1);
  });

  test('where only local endpoints count, one elsewhere is as good as gone', async () => {
    const { node, ends } = await loaded([sticky(three, { externalPolicy: 'Local' })]);
    expect(send(node, { ...outside, ...vip }, 2)).toBe(remote);
    expect(ends({ ...outside, ...balancer })).toEqual([local, here]);
    expect(send(node, { ...outside, ...balancer }, 1)).toBe(here);
    expect(ends({ ...outside, ...vip })).toEqual([`${here} hidden`]);
    expect(ends({ ...outside, ...balancer })).toEqual([here]);
  });

  test('without room to remember the client is served all the same', async () => {
    const kernel = new FakeNftKernel();
    const driver = kernel.driver();
    const small = (step: NftStep): NftStep =>
      step.kind === 'set-add' && step.set.name === 'affinity'
        ? { ...step, set: { ...step.set, size: 1 } }
        : step;
    const apply: NftDriver['apply'] = (steps, options) => driver.apply(steps.map(small), options);
    const node = sampleNode({ kernel, driver: { ...driver, apply } });
    await node.sync([sticky(three)]);
    expect(send(node, { from: '198.51.100.8', ...vip }, 0)).toBe(local);
    expect(send(node, { ...outside, ...vip }, 2)).toBe(remote);
    expect(send(node, { ...outside, ...vip }, 0)).toBe(local);
    expect(node.table().sets.get('affinity')?.elements.size).toBe(1);
  });

  test('another timeout, and none', async () => {
    const { node, context } = await loaded([sticky(three)]);
    await node.sync([sticky(three, { affinitySeconds: 60 })], { changed: ['ns/web/tcp'], context });
    expect([...node.table().chains.keys()].filter((name) => name.startsWith('sticky'))).toEqual([
      'sticky-3-60',
    ]);
    const plain = samplePort({ ...fields, clusterEndpoints: three });
    await node.sync([plain], { changed: [plain.key], context });
    expect(node.table().sets.get('sticky-addresses')?.elements.size).toBe(0);
    expect(ends(node.kernel, { ...pod, ...vip })).toHaveLength(3);
  });
});
