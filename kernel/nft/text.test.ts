import { describe, expect, test } from '@jest/globals';
import { address, examples, prefix } from '../../test/nft/example-tables.ts';
import { priorityText } from './chain-text.ts';
import { chain, counterObject, element, map, rule, set, table } from './declare.ts';
import { durationText } from './duration-text.ts';
import { FakeNftKernel } from './fake.ts';
import { ct, ip, meta, numgen, tcp, th } from './fields.ts';
import { type NftFamily, nftState, tableKey } from './objects.ts';
import { planNft } from './plan.ts';
import { ruleText } from './rule-text.ts';
import { concat } from './selector.ts';
import { accept, dnat, drop, log, redirect, reject, snat } from './statement.ts';
import { tableText } from './text.ts';

describe('tableText', () => {
  test.each(examples.map((one) => [tableKey(one.table), one] as const))(
    'prints %s as nft lists it',
    (_, example) => {
      const kernel = new FakeNftKernel();
      kernel.apply(planNft(nftState([example.table]), new Map()));
      expect([...kernel.state.values()].map(tableText).join('')).toBe(example.text);
    },
  );

  test('prints an empty table', () => {
    expect(tableText(table({ family: 'inet', name: 'empty' }))).toBe('table inet empty {\n}\n');
  });

  test('prints elements with timeouts, and many in a line where nft does', () => {
    const ports = Array.from({ length: 7 }, (_, i) => element(i + 1, i === 6 ? { timeout: 90_061_001 } : {}));
    expect(
      tableText(
        table({ family: 'ip', name: 't', sets: [set('ports', { key: 'inet_service', elements: ports })] }),
      ),
    ).toBe(
      `table ip t {
	set ports {
		type inet_service
		flags timeout
		elements = { 1, 2, 3, 4, 5,
			     6, 7 timeout 1d1h1m1s1ms }
	}
}
`,
    );
  });

  test('prints chains and counters with their comments', () => {
    const kept = table({
      family: 'ip6',
      name: 't',
      counters: [counterObject('hits', { comment: 'all' })],
      chains: [chain('c', { comment: 'why' })],
    });
    expect(tableText(kept)).toBe(`table ip6 t {
	counter hits {
		comment "all"
		packets 0 bytes 0
	}

	chain c {
		comment "why"
	}
}
`);
  });
});

describe('ruleText', () => {
  const text = (statements: Parameters<typeof rule>[1], family: NftFamily = 'ip') =>
    ruleText(rule('c', statements), family);

  test.each<[string, Parameters<typeof rule>[1]]>([
    ['ip saddr 10.0.0.0/9 accept', [ip.saddr.in(prefix('10.0.0.0/9')), accept]],
    ['ip saddr 0.0.0.0/0 accept', [ip.saddr.in(prefix('0.0.0.0/0')), accept]],
    ['ip saddr 10.0.0.1 accept', [ip.saddr.in(prefix('10.0.0.1/32')), accept]],
    [
      'ip saddr != 10.0.0.1-10.0.0.7 drop',
      [ip.saddr.notIn({ first: address('10.0.0.1'), last: address('10.0.0.7') }), drop],
    ],
    [
      'ip daddr != { 10.0.0.0/8, 192.168.0.1 } drop',
      [ip.daddr.notIn([prefix('10.0.0.0/8'), address('192.168.0.1')]), drop],
    ],
    ['ip daddr != @excluded drop', [ip.daddr.notInSet('excluded'), drop]],
    ['meta mark != 0x00000003 drop', [meta.mark.notEquals(3), drop]],
    ['meta l4proto 99 drop', [meta.l4proto.equals(99), drop]],
    [
      'tcp dport 80 tcp sport 1000-2000 accept',
      [tcp.dport.equals(80), tcp.sport.between(1000, 2000), accept],
    ],
    ['th dport 53 accept', [th.dport.equals(53), accept]],
    ['ct status snat,dnat accept', [ct.status('dnat', 'snat'), accept]],
    ['meta mark set numgen inc mod 3 offset 256', [meta.mark.set(numgen.inc(3, 256))]],
    ['log prefix "x" level debug', [log({ prefix: 'x', level: 'debug' })]],
    [
      'snat to 192.0.2.1:1024 fully-random',
      [snat({ address: address('192.0.2.1'), port: 1024 }, { fullyRandom: true })],
    ],
    ['dnat to :80', [dnat({ port: 80, family: 4 })]],
    ['redirect', [redirect()]],
    ['reject', [reject('ip')]],
    ['ip saddr . ip daddr @pairs accept', [concat(ip.saddr, ip.daddr).inSet('pairs'), accept]],
  ])('%s', (expected, statements) => {
    expect(text(statements)).toBe(expected);
  });

  test('marks what it does not know', () => {
    const unknown = {
      chain: 'c',
      expressions: [{ kind: 'unknown', name: 'socket', data: new Uint8Array() }],
    } as const;
    expect(ruleText(unknown, 'ip')).toBe('# unknown expression "socket"');
    expect(
      ruleText({ expressions: [{ kind: 'cmp', from: 3, op: 'eq', value: Uint8Array.of(1) }] }, 'ip'),
    ).toBe('# comparison of an unknown value');
    expect(
      ruleText(
        {
          expressions: [
            { kind: 'payload', to: 0, base: 'network', offset: 5, length: 1 },
            { kind: 'cmp', from: 0, op: 'eq', value: Uint8Array.of(1) },
          ],
        },
        'ip',
      ),
    ).toBe('@nh,40,8 0x01');
  });
});

describe('priorityText', () => {
  test.each<[string, NftFamily, Parameters<typeof priorityText>[1]]>([
    ['filter', 'ip', { hook: 'forward', priority: 0 }],
    ['filter - 5', 'ip', { hook: 'forward', priority: -5 }],
    ['11', 'ip', { hook: 'forward', priority: 11 }],
    ['dstnat + 10', 'inet', { hook: 'prerouting', priority: -90 }],
    ['-90', 'inet', { hook: 'input', priority: -90 }],
    ['srcnat', 'ip6', { hook: 'postrouting', priority: 100 }],
    ['100', 'ip6', { hook: 'output', priority: 100 }],
    ['raw', 'ip', { hook: 'output', priority: -300 }],
    ['dstnat', 'bridge', { hook: 'prerouting', priority: -300 }],
    ['-100', 'arp', { hook: 'input', priority: -100 }],
  ])('%s', (expected, family, base) => {
    expect(priorityText(family, base)).toBe(expected);
  });
});

describe('durationText', () => {
  test.each([
    [0n, '0s'],
    [1n, '1ms'],
    [3_600_000n, '1h'],
    [12_300_000n, '3h25m'],
    [90_061_001n, '1d1h1m1s1ms'],
  ])('%s ms is %s', (milliseconds, text) => {
    expect(durationText(milliseconds)).toBe(text);
  });
});

describe('declarations', () => {
  test('refuse what nft could not read back', () => {
    expect(() => chain('with space')).toThrow(SyntaxError);
    expect(() => chain('1st')).toThrow(SyntaxError);
    expect(() => chain('c', { comment: 'a "quote"' })).toThrow(SyntaxError);
    expect(() => chain('c', { comment: 'x'.repeat(128) })).toThrow(SyntaxError);
    expect(() => table({ family: 'ip', name: 't', chains: [chain('c'), chain('c')] })).toThrow(/twice/);
    expect(() => table({ family: 'ip', name: 't', rules: [rule('c', [accept])] })).toThrow(/not declared/);
    expect(() => set('s', { key: 'mark', flags: ['interval'] })).toThrow(/intervals of mark/);
    expect(() => set('s', { key: 'inet_service', elements: [element(80), element(80)] })).toThrow(/twice/);
    expect(() => set('s', { key: 'inet_service', elements: [element(80, { data: [1] })] })).toThrow(
      TypeError,
    );
    expect(() => map('m', { key: 'inet_service', data: 'mark', elements: [element(80)] })).toThrow(TypeError);
    expect(() => set('s', { key: ['ipv4_addr', 'mark'], elements: [element(address('10.0.0.1'))] })).toThrow(
      TypeError,
    );
    expect(() => ip.saddr.equals(address('::1'))).toThrow(TypeError);
    expect(() => numgen.random(0)).toThrow(RangeError);
  });
});
