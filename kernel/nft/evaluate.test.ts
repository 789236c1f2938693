// Walks packets through rules: the layout of services, masquerading, filters, in the fake kernel.
import { describe, expect, test } from '@jest/globals';
import { address, prefix } from '../../test/nft/example-tables.ts';
import { anonymousMap, baseChain, chain, element, map, priority, rule, set, table } from './declare.ts';
import { type Evaluation, flowText } from './evaluate.ts';
import { FakeNftKernel } from './fake.ts';
import { ct, fib, ip, ip6, jhash, meta, numgen, tcp, th, udp } from './fields.ts';
import { nftState, type Rule, type Table } from './objects.ts';
import { type Packet, packet } from './packet.ts';
import { planNft } from './plan.ts';
import { concat, type Statement } from './selector.ts';
import {
  accept,
  dnat,
  drop,
  goto,
  jump,
  limit,
  masquerade,
  notrack,
  redirect,
  reject,
  returnStatement,
  snat,
  update,
} from './statement.ts';
import { generationAfter } from './step.ts';
import { protocol } from './value-text.ts';
import { verdict } from './verdict.ts';

const key = ['ipv4_addr', 'inet_proto', 'inet_service'] as const;
const service = address('10.96.0.10');
const backends = ['10.244.0.2', '10.244.1.2', '10.244.2.2'].map(address);

const services = table({
  family: 'ip',
  name: 'netloom',
  sets: [
    map('svc', {
      key,
      data: 'mark',
      elements: [
        element([service, protocol.tcp, 80], { data: [3] }),
        element([service, protocol.tcp, 81], { data: [1] }),
        element([address('10.96.0.11'), protocol.udp, 53], { data: [0x4001] }),
      ],
    }),
    map('class', {
      key: 'mark',
      data: 'verdict',
      elements: [
        element(1, { data: verdict.goto('n1') }),
        element(3, { data: verdict.goto('n3') }),
        element(0x4001, { data: verdict.goto('n1') }),
      ],
    }),
    map('eps', {
      key: [...key, 'integer'],
      data: ['ipv4_addr', 'inet_service'],
      typeof: [
        'ip daddr',
        'meta l4proto',
        'th dport',
        { numgen: 'random', modulus: 3 },
        'ip daddr',
        'th dport',
      ],
      elements: [
        ...backends.map((backend, slot) =>
          element([service, protocol.tcp, 80, slot], { data: [backend, 8080] }),
        ),
        element([address('10.96.0.11'), protocol.udp, 53, 0], { data: [address('10.244.0.3'), 5353] }),
      ],
    }),
  ],
  chains: [
    baseChain('prerouting', { type: 'nat', hook: 'prerouting', priority: priority.dstnat }),
    baseChain('postrouting', { type: 'nat', hook: 'postrouting', priority: priority.srcnat }),
    chain('services'),
    chain('n1'),
    chain('n3'),
  ],
  rules: [
    rule('prerouting', [jump('services')]),
    rule('services', [
      meta.mark.set(concat(ip.daddr, meta.l4proto, th.dport).map('svc', ['mark'])),
      meta.mark.vmap('class'),
    ]),
    ...[1, 3].flatMap((count) => [
      rule(`n${count}`, [
        meta.l4proto.in([protocol.tcp, protocol.udp]),
        dnat({
          by: concat(ip.daddr, meta.l4proto, th.dport, numgen.random(count)).map('eps', [
            'ipv4_addr',
            'inet_service',
          ]),
        }),
      ]),
      rule(`n${count}`, [drop], { comment: 'no endpoint in the slot' }),
    ]),
    rule('postrouting', [meta.mark.maskedEquals(0x4000, 0x4000), meta.mark.flipBits(0x4000), masquerade()]),
  ],
});

function kernelWith(...tables: readonly Table[]): FakeNftKernel {
  const kernel = new FakeNftKernel();
  generationAfter(kernel.apply(planNft(nftState(tables), new Map())));
  return kernel;
}

const client = { saddr: address('10.244.0.9'), sport: 40000 };

describe('services without an object each', () => {
  const kernel = kernelWith(services);
  const toService = (slot: number, more: Partial<Packet> = {}): Evaluation =>
    kernel.evaluate(
      packet({ hook: 'prerouting', ...client, daddr: service, dport: 80, protocol: protocol.tcp, ...more }),
      { random: () => slot },
    );

  test.each([
    [0, '10.244.0.9:40000 > 10.244.0.2:8080'],
    [1, '10.244.0.9:40000 > 10.244.1.2:8080'],
    [2, '10.244.0.9:40000 > 10.244.2.2:8080'],
  ])('slot %i leads to its endpoint', (slot, flow) => {
    const { verdict: decided, packet: out, trace } = toService(slot);
    expect([decided, flowText(out), out.mark, out.ct.dnat]).toEqual(['accept', flow, 3, true]);
    expect(trace).toEqual([
      { table: 'ip netloom', chain: 'prerouting', rule: 'jump services' },
      {
        table: 'ip netloom',
        chain: 'services',
        rule: 'meta mark set ip daddr . meta l4proto . th dport map @svc meta mark vmap @class',
      },
      {
        table: 'ip netloom',
        chain: 'n3',
        rule: 'meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 3 map @eps',
      },
    ]);
  });

  test('a slot without an endpoint comes to the rule behind', () => {
    const out = toService(0, { dport: 81 });
    expect([out.verdict, out.trace.at(-1)?.rule]).toEqual(['drop', 'drop comment "no endpoint in the slot"']);
  });

  test('other packets pass untouched', () => {
    for (const other of [{ dport: 82 }, { protocol: protocol.udp }, { daddr: address('10.96.0.12') }]) {
      const out = toService(0, other);
      expect([out.verdict, out.packet.mark, out.packet.ct.dnat]).toEqual(['accept', 0, undefined]);
    }
  });

  test('packets of known flows do not come to nat chains', () => {
    expect(toService(0, { ct: { state: 'established' } }).trace).toEqual([]);
  });

  test('the masquerade bit goes along in the mark and is taken away where it is used', () => {
    const dns = packet({
      hook: 'prerouting',
      ...client,
      daddr: address('10.96.0.11'),
      dport: 53,
      protocol: protocol.udp,
    });
    const first = kernel.evaluate(dns, { random: () => 0 });
    expect([flowText(first.packet), first.packet.mark]).toEqual([
      '10.244.0.9:40000 > 10.244.0.3:5353',
      0x4001,
    ]);
    const last = kernel.evaluate(
      { ...first.packet, hook: 'postrouting', oif: 'cni0' },
      { random: () => 0, addressOf: (link) => address(link === 'cni0' ? '10.244.0.1' : '192.0.2.1') },
    );
    expect([flowText(last.packet), last.packet.mark]).toEqual(['10.244.0.1:40000 > 10.244.0.3:5353', 1]);
  });
});

/** One filter chain at a hook with the rules; what it decides of a packet. */
function decide(statements: readonly (readonly Statement[])[], given: Partial<Packet> = {}): Evaluation {
  const rules: readonly Rule[] = statements.map((one) => rule('c', one));
  const kernel = kernelWith(
    table({
      family: given.saddr?.family === 6 ? 'ip6' : 'ip',
      name: 't',
      sets: [
        set('nets', { key: 'ipv4_addr', flags: ['interval'], elements: [element(prefix('10.0.0.0/8'))] }),
        set('pairs', {
          key: ['ipv4_addr', 'inet_service'],
          flags: ['interval'],
          elements: [element([prefix('10.0.0.0/8'), { first: 80, last: 90 }])],
        }),
        set('seen', { key: 'ipv4_addr', flags: ['dynamic'], size: 1 }),
        map('marks', {
          key: 'ipv4_addr',
          data: 'mark',
          elements: [element(address('10.0.0.1'), { data: [5] }), element('default', { data: [9] })],
        }),
      ],
      chains: [
        baseChain('c', { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' }),
        chain('other'),
      ],
      rules: [...rules, rule('other', [meta.mark.equals(1), accept]), rule('other', [meta.mark.set(1)])],
    }),
  );
  return kernel.evaluate(
    packet({
      hook: 'forward',
      saddr: address('10.0.0.1'),
      daddr: address('192.0.2.1'),
      dport: 80,
      protocol: protocol.tcp,
      iif: 'cni0',
      oif: 'eth0',
      ...given,
    }),
    {
      random: () => 1,
      addressType: (of) => (of.toString() === '192.0.2.1' ? 'local' : 'unicast'),
      exceeds: ({ rate }) => rate === 1n,
    },
  );
}

describe('matches', () => {
  test.each<[string, Statement, Partial<Packet>?]>([
    ['a prefix of whole bytes', ip.saddr.in(prefix('10.0.0.0/8'))],
    ['a prefix of bits', ip.saddr.in(prefix('10.0.0.0/31'))],
    ['outside a prefix', ip.daddr.notIn(prefix('10.0.0.0/9'))],
    ['an interval', ip.saddr.in({ first: address('10.0.0.0'), last: address('10.0.0.2') })],
    ['outside an interval', ip.daddr.notIn({ first: address('10.0.0.0'), last: address('10.0.0.2') })],
    ['one of several', ip.saddr.in([address('10.0.0.1'), prefix('172.16.0.0/12')])],
    ['none of several', ip.daddr.notIn([address('10.0.0.1'), prefix('172.16.0.0/12')])],
    ['a set of intervals', ip.saddr.inSet('nets')],
    ['not in a set', ip.daddr.notInSet('nets')],
    ['a set of concatenated intervals', concat(ip.saddr, tcp.dport).inSet('pairs')],
    ['ports', tcp.dport.between(80, 81)],
    ['an interface', meta.iifname.equals('cni0')],
    ['the beginning of an interface name', meta.oifname.equals('eth*')],
    ['not an interface', meta.oifname.notEquals('cni0')],
    ['connection states', ct.state('established', 'new')],
    ['a rewritten flow', ct.status('dnat'), { ct: { state: 'established', dnat: true } }],
    ['a connection mark', ct.mark.maskedEquals(0xf0, 0x10), { ct: { state: 'new', mark: 0x1f } }],
    ['a local destination', fib.daddrType.equals(2)],
    ['a random number', numgen.random(2).equals(1)],
    ['a rate that is kept', limit({ rate: 5, per: 'second' })],
    ['a rate that is exceeded', limit({ rate: 1, per: 'second', over: true })],
    ['IPv6', ip6.saddr.in(prefix('fd00::/20')), { saddr: address('fd00::1'), daddr: address('fd00::2') }],
  ])('%s', (_, matching, given = {}) => {
    expect(decide([[matching, accept]], given).verdict).toBe('accept');
  });

  test.each<[string, Statement, Partial<Packet>?]>([
    ['another prefix', ip.saddr.in(prefix('11.0.0.0/8'))],
    ['another protocol', udp.dport.equals(80)],
    ['another state', ct.state('invalid')],
    ['not a rewritten flow', ct.status('dnat')],
    ['a source that is not local', fib.saddrType.equals(2)],
    ['another random number', numgen.random(2).equals(0)],
    ['a rate that is exceeded', limit({ rate: 1, per: 'second' })],
    ['another interface', meta.iifname.equals('cni')],
    ['another port of a pair', concat(ip.saddr, tcp.dport).inSet('pairs'), { dport: 91 }],
  ])('not %s', (_, matching, given = {}) => {
    const out = decide([[matching, accept]], given);
    expect([out.verdict, out.trace.map((one) => one.rule)]).toEqual(['drop', ['policy drop']]);
  });
});

describe('chains', () => {
  test('a jump comes back, a goto does not', () => {
    expect(decide([[jump('other')], [jump('other')]]).verdict).toBe('accept');
    expect(decide([[goto('other')], [accept]]).verdict).toBe('drop');
  });

  test('return in a base chain leads to its policy', () => {
    expect(decide([[returnStatement], [accept]]).verdict).toBe('drop');
  });

  test('reject ends all', () => {
    expect(decide([[reject('ip')], [accept]]).verdict).toBe('reject');
  });

  test('base chains run by priority, and accept in one does not bind the next', () => {
    const base = (name: string, at: number, policy: 'accept' | 'drop') =>
      baseChain(name, { type: 'filter', hook: 'input', priority: at, policy });
    const kernel = kernelWith(
      table({ family: 'inet', name: 'late', chains: [base('a', 10, 'drop')] }),
      table({
        family: 'ip',
        name: 'early',
        chains: [base('a', -10, 'accept')],
        rules: [rule('a', [meta.mark.set(7), accept])],
      }),
      table({ family: 'ip6', name: 'six', chains: [base('a', -20, 'drop')] }),
    );
    const out = kernel.evaluate(
      packet({
        hook: 'input',
        saddr: address('10.0.0.1'),
        daddr: address('10.0.0.2'),
        protocol: protocol.udp,
      }),
      { random: () => 0 },
    );
    expect([out.verdict, out.packet.mark, out.trace.map((one) => `${one.table} ${one.rule}`)]).toEqual([
      'drop',
      7,
      ['ip early meta mark set 0x00000007 accept', 'inet late policy drop'],
    ]);
  });
});

describe('statements', () => {
  test('marks are set, changed and kept', () => {
    const marked = (...statements: readonly Statement[]) =>
      decide([[...statements, accept]], { mark: 0xff }).packet.mark;
    expect(marked(meta.mark.set(5))).toBe(5);
    expect(marked(meta.mark.setBits(0x4000))).toBe(0x40ff);
    expect(marked(meta.mark.keepBits(0x0f))).toBe(0x0f);
    expect(marked(meta.mark.flipBits(0xf0))).toBe(0x0f);
    expect(marked(meta.mark.replaceBits({ keep: 0x0f, set: 0x100 }))).toBe(0x10f);
    expect(marked(meta.mark.set(ip.saddr.map('marks', ['mark'])))).toBe(5);
    expect(marked(meta.mark.set(ip.daddr.map('marks', ['mark'])))).toBe(9);
    expect(decide([[ct.mark.set(meta.mark), accept]], { mark: 3 }).packet.ct.mark).toBe(3);
  });

  test('a set takes the packets that a rule adds until it is full', () => {
    expect(decide([[update('seen', { key: ip.saddr })], [ip.saddr.inSet('seen'), accept]]).verdict).toBe(
      'accept',
    );
    const full = [[update('seen', { key: ip.daddr })], [update('seen', { key: ip.saddr }), accept]] as const;
    expect(decide(full).verdict).toBe('drop');
  });

  test('a hash leads the same flow to the same place', () => {
    const byHash = jhash(concat(ip.saddr, ip.daddr), { modulus: 2, seed: 1 }).vmap(
      anonymousMap({ key: 'integer', data: 'verdict' }, [
        element(0, { data: verdict.accept }),
        element(1, { data: verdict.drop }),
      ]),
    );
    const verdicts = Array.from(
      { length: 20 },
      (_, i) => decide([[byHash]], { saddr: address(`10.0.0.${i}`) }).verdict,
    );
    expect(new Set(verdicts)).toEqual(new Set(['accept', 'drop']));
    expect(decide([[byHash]], { sport: 1 }).verdict).toBe(verdicts[1]);
  });

  test('an untracked packet has no connection', () => {
    expect(decide([[notrack], [ct.state('untracked'), accept]]).verdict).toBe('accept');
    expect(decide([[notrack], [ct.mark.equals(0), accept]]).verdict).toBe('drop');
  });

  test.each<[string, Statement, string]>([
    ['an address', dnat({ address: address('10.0.0.7') }), '10.0.0.1:40000 > 10.0.0.7:80'],
    [
      'an address and a port',
      dnat({ address: address('10.0.0.7'), port: 81 }),
      '10.0.0.1:40000 > 10.0.0.7:81',
    ],
    ['a port', dnat({ port: 81, family: 4 }), '10.0.0.1:40000 > 192.0.2.1:81'],
    ['the machine itself', redirect({ port: 81 }), '10.0.0.1:40000 > 10.0.0.254:81'],
  ])('rewrites the destination to %s', (_, statement, flow) => {
    const kernel = kernelWith(
      table({
        family: 'inet',
        name: 't',
        chains: [
          baseChain('dst', { type: 'nat', hook: 'prerouting', priority: -100 }),
          baseChain('again', { type: 'nat', hook: 'prerouting', priority: -99 }),
        ],
        rules: [
          rule('dst', [tcp.dport.equals(80), statement]),
          // The first that rewrites decides.
          rule('again', [dnat({ address: address('203.0.113.1') })]),
        ],
      }),
    );
    const sent = packet({
      hook: 'prerouting',
      saddr: address('10.0.0.1'),
      daddr: address('192.0.2.1'),
      dport: 80,
      protocol: protocol.tcp,
    });
    const out = kernel.evaluate(sent, { random: () => 0, addressOf: () => address('10.0.0.254') }).packet;
    expect(flowText(out)).toBe(flow);
    expect(out.ct).toMatchObject({ dnat: true, original: { daddr: address('192.0.2.1'), dport: 80 } });
  });

  test('rewrites the source', () => {
    const kernel = kernelWith(
      table({
        family: 'ip',
        name: 't',
        chains: [baseChain('src', { type: 'nat', hook: 'postrouting', priority: 100 })],
        rules: [rule('src', [snat({ address: address('192.0.2.9') })])],
      }),
    );
    const sent = packet({
      hook: 'postrouting',
      saddr: address('10.0.0.1'),
      daddr: address('192.0.2.1'),
      protocol: protocol.udp,
    });
    expect(flowText(kernel.evaluate(sent, { random: () => 0 }).packet)).toBe('192.0.2.9:40000 > 192.0.2.1:0');
  });

  test('what it cannot run it does not guess', () => {
    const kernel = kernelWith(
      table({
        family: 'ip',
        name: 't',
        chains: [baseChain('c', { type: 'filter', hook: 'input', priority: 0 })],
        rules: [{ chain: 'c', expressions: [{ kind: 'unknown', name: 'socket', data: new Uint8Array() }] }],
      }),
    );
    const sent = packet({
      hook: 'input',
      saddr: address('10.0.0.1'),
      daddr: address('10.0.0.2'),
      protocol: 6,
    });
    expect(() => kernel.evaluate(sent, { random: () => 0 })).toThrow('Cannot evaluate expression "socket"');
  });
});
