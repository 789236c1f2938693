import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyState } from '../../test/nft/arbitrary.ts';
import { prefix } from '../../test/nft/example-tables.ts';
import { baseChain, chain, element, map, rule, set, table } from './declare.ts';
import { FakeNftKernel } from './fake.ts';
import { ip, meta } from './fields.ts';
import { nftState, type Table } from './objects.ts';
import { planNft } from './plan.ts';
import { accept, counter, drop, jump } from './statement.ts';
import { generationAfter } from './step.ts';
import { stepText } from './step-text.ts';
import { verdict } from './verdict.ts';

const id = { family: 'ip', name: 'netloom' } as const;

function planned(from: readonly Table[], to: readonly Table[]): readonly string[] {
  return planNft(nftState(to), nftState(from)).map(stepText);
}

const before = table({
  ...id,
  sets: [
    map('class', { key: 'mark', data: 'verdict', elements: [element(1, { data: verdict.goto('n1') })] }),
    set('nets', { key: 'ipv4_addr', flags: ['interval'], elements: [element(prefix('10.0.0.0/8'))] }),
  ],
  chains: [baseChain('pre', { type: 'filter', hook: 'prerouting', priority: 0 }), chain('n1'), chain('n2')],
  rules: [rule('pre', [meta.mark.vmap('class')]), rule('n1', [ip.saddr.inSet('nets'), counter(), accept])],
});

describe('planNft', () => {
  test('of what is there already has no steps', () => {
    expect(planned([before], [before])).toEqual([]);
    // Handles and counts are the kernel's.
    const counted = before.rules.get('n1')?.map((one) => ({
      ...one,
      handle: 7n,
      expressions: one.expressions.map((part) => (part.kind === 'counter' ? { ...part, packets: 5n } : part)),
    }));
    expect(
      planned([{ ...before, rules: new Map([...before.rules, ['n1', counted ?? []]]) }], [before]),
    ).toEqual([]);
  });

  test('makes a whole table, parents first', () => {
    expect(planned([], [before])).toEqual([
      'add table ip netloom',
      'add map ip netloom class { type mark : verdict; }',
      'add set ip netloom nets { type ipv4_addr; flags interval; }',
      'add chain ip netloom pre { type filter hook prerouting priority filter; policy accept; }',
      'add chain ip netloom n1',
      'add chain ip netloom n2',
      'add element ip netloom class { 0x00000001 : goto n1 }',
      'add element ip netloom nets { 10.0.0.0/8 }',
      'add rule ip netloom pre meta mark vmap @class',
      'add rule ip netloom n1 ip saddr @nets counter accept',
    ]);
  });

  test('deletes a table that is not wanted in one step', () => {
    expect(planned([before], [])).toEqual(['delete table ip netloom']);
  });

  test('fills a chain anew when its rules differ, and leaves the others alone', () => {
    const after = { ...before, rules: new Map([...before.rules, ['n1', [rule('n1', [drop])]]]) };
    expect(planned([before], [after])).toEqual(['flush chain ip netloom n1', 'add rule ip netloom n1 drop']);
  });

  test('takes the order of rules for a difference', () => {
    const two = (first: boolean) => [
      rule('n2', [first ? accept : drop]),
      rule('n2', [first ? drop : accept]),
    ];
    const with2 = (first: boolean) => ({ ...before, rules: new Map([...before.rules, ['n2', two(first)]]) });
    expect(planned([with2(true)], [with2(false)])).toEqual([
      'flush chain ip netloom n2',
      'add rule ip netloom n2 drop',
      'add rule ip netloom n2 accept',
    ]);
  });

  test('changes single elements', () => {
    const classes = map('class', {
      key: 'mark',
      data: 'verdict',
      elements: [element(1, { data: verdict.goto('n2') }), element(2, { data: verdict.drop })],
    });
    const after = { ...before, sets: new Map([...before.sets, ['class', classes]]) };
    expect(planned([before], [after])).toEqual([
      'delete element ip netloom class { 0x00000001 }',
      'add element ip netloom class { 0x00000001 : goto n2 }',
      'add element ip netloom class { 0x00000002 : drop }',
    ]);
  });

  test('changes a policy in place', () => {
    const pre = baseChain('pre', { type: 'filter', hook: 'prerouting', priority: 0, policy: 'drop' });
    const after = { ...before, chains: new Map([...before.chains, ['pre', pre]]) };
    expect(planned([before], [after])).toEqual(['add chain ip netloom pre { policy drop; }']);
  });

  test('makes a set of another type anew, and the rules that look into it', () => {
    const nets = set('nets', { key: 'ipv4_addr', flags: ['interval'], size: 10 });
    const after = { ...before, sets: new Map([...before.sets, ['nets', nets]]) };
    expect(planned([before], [after])).toEqual([
      'flush chain ip netloom n1',
      'delete set ip netloom nets',
      'add set ip netloom nets { type ipv4_addr; size 10; flags interval; }',
      'add rule ip netloom n1 ip saddr @nets counter accept',
    ]);
  });

  test('takes away what leads to a chain that is made anew, and puts it back', () => {
    const n1 = chain('n1', { comment: 'first' });
    const after = { ...before, chains: new Map([...before.chains, ['n1', n1]]) };
    expect(planned([before], [after])).toEqual([
      'flush chain ip netloom n1',
      'delete element ip netloom class { 0x00000001 }',
      'delete chain ip netloom n1',
      'add chain ip netloom n1 { comment "first"; }',
      'add element ip netloom class { 0x00000001 : goto n1 }',
      'add rule ip netloom n1 ip saddr @nets counter accept',
    ]);
  });

  test('leaves the elements of dynamic sets to the packets', () => {
    const dynamic = (elements: Parameters<typeof set>[1]['elements']) =>
      table({
        ...id,
        sets: [set('seen', { key: 'ipv4_addr', flags: ['dynamic'], size: 10, elements: elements ?? [] })],
      });
    expect(planned([dynamic([element(prefix('10.0.0.1/32').address)])], [dynamic([])])).toEqual([]);
  });

  test('from any state leads to any other, and then has no steps', () => {
    fc.assert(
      fc.property(fc.array(anyState, { minLength: 2, maxLength: 4 }), (states) => {
        const kernel = new FakeNftKernel();
        for (const wanted of states) {
          generationAfter(kernel.apply(planNft(wanted, kernel.state), { generation: kernel.generation }));
          expect(planNft(wanted, kernel.state)).toEqual([]);
          expect([...kernel.state.keys()].sort()).toEqual([...wanted.keys()].sort());
        }
      }),
    );
  });

  test('sees other elements in a set that belongs to a rule', () => {
    const of = (last: number) => ({
      ...before,
      rules: new Map([...before.rules, ['n2', [rule('n2', [meta.l4proto.in([6, last]), accept])]]]),
    });
    expect(planned([of(17)], [of(17)])).toEqual([]);
    expect(planned([of(17)], [of(132)])).toEqual([
      'flush chain ip netloom n2',
      'add rule ip netloom n2 meta l4proto { tcp, sctp } accept',
    ]);
  });

  test('of two states is empty only when they are the same', () => {
    const other = { ...before, rules: new Map([...before.rules, ['pre', [rule('pre', [jump('n1')])]]]) };
    expect(planned([before], [other])).not.toEqual([]);
    expect(planned([other], [before])).not.toEqual([]);
  });
});
