// Affinity and counts as the packets' own elements, walked through the fake kernel.
import { describe, expect, test } from '@jest/globals';
import { address } from '../../test/nft/example-tables.ts';
import { baseChain, element, map, rule, set, table } from './declare.ts';
import { flowText } from './evaluate.ts';
import { FakeNftKernel } from './fake.ts';
import { ct, ip, meta, numgen } from './fields.ts';
import { nftState } from './objects.ts';
import { type Packet, packet } from './packet.ts';
import { planNft } from './plan.ts';
import { concat, type Statement } from './selector.ts';
import { accept, add, dnat, remove, update } from './statement.ts';
import { generationAfter } from './step.ts';
import { rulesetText } from './text.ts';
import { protocol } from './value-text.ts';

const backends = ['10.244.0.2', '10.244.1.2', '10.244.2.2'].map(address);
const eitherTransport = meta.l4proto.in([protocol.tcp, protocol.udp]);

const endpoints = map('endpoints', {
  key: 'classid',
  data: ['ipv4_addr', 'inet_service'],
  elements: backends.map((backend, slot) => element(slot + 1, { data: [backend, 8080] })),
});

function kernelWith(...rules: readonly (readonly Statement[])[]): FakeNftKernel {
  const kernel = new FakeNftKernel();
  const made = table({
    family: 'ip',
    name: 't',
    sets: [
      endpoints,
      map('affinity', {
        key: 'ipv4_addr',
        data: 'classid',
        flags: ['dynamic'],
        timeout: 10_800_000,
        size: 2,
      }),
    ],
    chains: [baseChain('pre', { type: 'nat', hook: 'prerouting', priority: -100 })],
    rules: rules.map((statements) => rule('pre', statements)),
  });
  generationAfter(kernel.apply(planNft(nftState([made]), new Map())));
  return kernel;
}

const known: readonly (readonly Statement[])[] = [
  [
    meta.priority.set(ip.saddr.map('affinity', ['classid'])),
    eitherTransport,
    dnat({ by: meta.priority.map('endpoints', ['ipv4_addr', 'inet_service']) }),
  ],
  [remove('affinity', { key: ip.saddr, data: meta.priority })],
];
const drawn: readonly (readonly Statement[])[] = [
  [meta.priority.set(numgen.random(3, 1))],
  [update('affinity', { key: ip.saddr, data: meta.priority })],
  [eitherTransport, dnat({ by: meta.priority.map('endpoints', ['ipv4_addr', 'inet_service']) })],
];

function from(saddr: string, more: Partial<Packet> = {}): Packet {
  const daddr = address('10.96.0.1');
  return packet({
    hook: 'prerouting',
    saddr: address(saddr),
    daddr,
    dport: 80,
    protocol: protocol.tcp,
    ...more,
  });
}

describe('a map that packets fill', () => {
  test('leads the same client to the same endpoint, whichever is drawn', () => {
    const outcomes = kernelWith(...known, ...drawn).outcomes(from('10.0.0.1'));
    expect(outcomes.map(({ evaluation }) => flowText(evaluation.packet))).toEqual(
      backends.map((backend) => `10.0.0.1:40000 > ${backend}:8080`),
    );
    for (const [i, { kernel }] of outcomes.entries()) {
      const again = kernel.outcomes(from('10.0.0.1', { sport: 40001 }));
      expect(again.map(({ evaluation }) => flowText(evaluation.packet))).toEqual([
        `10.0.0.1:40001 > ${backends[i]}:8080`,
      ]);
      expect(kernel.outcomes(from('10.0.0.2'))).toHaveLength(3);
    }
  });

  test('forgets a client whose endpoint is gone, and takes another', () => {
    const kernel = kernelWith(...known, ...drawn);
    kernel.evaluate(from('10.0.0.1'), { random: () => 1 });
    const table_ = { family: 'ip', name: 't' } as const;
    generationAfter(
      kernel.apply([{ kind: 'element-delete', table: table_, set: endpoints, element: element(2) }]),
    );
    expect(flowText(kernel.evaluate(from('10.0.0.1'), { random: () => 2 }).packet)).toBe(
      '10.0.0.1:40000 > 10.244.2.2:8080',
    );
    expect(kernel.state.get('ip t')?.sets.get('affinity')?.elements.get('10.0.0.1')?.data).toEqual([3]);
  });

  test('keeps the data of an element that is there', () => {
    const kernel = kernelWith(...drawn.slice(0, 2));
    for (const value of [0, 1]) kernel.evaluate(from('10.0.0.1'), { random: () => value });
    expect([...(kernel.state.get('ip t')?.sets.get('affinity')?.elements.values() ?? [])]).toEqual([
      { key: [address('10.0.0.1')], data: [1] },
    ]);
  });

  test('that is full ends the rule', () => {
    const kernel = kernelWith([update('affinity', { key: ip.saddr, data: meta.priority }), accept]);
    const matched = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.1'].map(
      (saddr) => kernel.evaluate(from(saddr), { random: () => 0 }).trace.length,
    );
    expect(matched).toEqual([1, 1, 0, 1]);
  });

  test('goes on with the rule when there is nothing to delete', () => {
    const kernel = kernelWith([remove('affinity', { key: ip.saddr, data: meta.priority }), accept]);
    expect(kernel.evaluate(from('10.0.0.1'), { random: () => 0 }).trace).toHaveLength(1);
  });

  test('says how long an element lives only when that is not the map’s own', () => {
    const lives = (timeout: number) => {
      const kernel = kernelWith([add('affinity', { key: ip.saddr, data: meta.priority, timeout })]);
      kernel.evaluate(from('10.0.0.1'), { random: () => 0 });
      return kernel.state.get('ip t')?.sets.get('affinity')?.elements.get('10.0.0.1')?.timeout;
    };
    expect([lives(5000), lives(10_800_000)]).toEqual([5000n, undefined]);
  });
});

test('elements count the packets of a connection by where it was sent first', () => {
  const kernel = new FakeNftKernel();
  const made = table({
    family: 'ip',
    name: 't',
    sets: [set('traffic', { key: ['ipv4_addr', 'inet_service'], flags: ['dynamic'] })],
    chains: [baseChain('pre', { type: 'filter', hook: 'prerouting', priority: 0 })],
    rules: [
      rule('pre', [
        ct.status('dnat'),
        ct.direction('reply'),
        update('traffic', { key: concat(ct.original.daddr(4), ct.original.protoDst), counter: true }),
      ]),
    ],
  });
  generationAfter(kernel.apply(planNft(nftState([made]), new Map())));
  const original = {
    saddr: address('10.0.0.1'),
    daddr: address('10.96.0.1'),
    sport: 40000,
    dport: 80,
  };
  for (const [direction, length] of [
    ['reply', 100],
    ['original', 1000],
    ['reply', 60],
  ] as const) {
    const ofFlow = { state: 'established', direction, dnat: true, original } as const;
    kernel.evaluate(from('10.244.0.2', { ct: ofFlow, length }), { random: () => 0 });
  }
  expect(rulesetText(kernel.state)).toContain('elements = { 10.96.0.1 . 80 counter packets 2 bytes 160 }');
  // Counts are no difference: the elements are the packets' own, and so are their numbers.
  expect(planNft(nftState([made]), kernel.state)).toEqual([]);
});

test('links are known where the kernel knows them', () => {
  const named = (hook: Packet['hook']) => {
    const kernel = new FakeNftKernel();
    const seen = set('seen', { key: ['ifname', 'ifname'], flags: ['dynamic'] });
    const made = table({
      family: 'ip',
      name: 't',
      sets: [seen],
      chains: [baseChain('c', { type: 'filter', hook, priority: 0 })],
      rules: [rule('c', [update('seen', { key: concat(meta.iifname, meta.oifname) })])],
    });
    generationAfter(kernel.apply(planNft(nftState([made]), new Map())));
    kernel.evaluate(from('10.0.0.1', { hook, iif: 'eth0', oif: 'cni0' }), { random: () => 0 });
    return [...(kernel.state.get('ip t')?.sets.get('seen')?.elements.keys() ?? [])];
  };
  expect(named('prerouting')).toEqual(['"eth0" . ""']);
  expect(named('output')).toEqual(['"" . "cni0"']);
  expect(named('forward')).toEqual(['"eth0" . "cni0"']);
});
