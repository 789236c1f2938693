// What every nf_tables driver must do: run on the fake by kernel/nft/fake.test.ts and on the kernel by test/kernel/nft.test.ts.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isExists, isInterrupted, isNotFound, isStaleGeneration } from '../../kernel/kernel-error.ts';
import {
  baseChain,
  chain,
  element,
  elementKey,
  elementsOf,
  map,
  rule,
  set,
  table,
} from '../../kernel/nft/declare.ts';
import { ip, meta, tcp } from '../../kernel/nft/fields.ts';
import { nftState, type Table, tableKey } from '../../kernel/nft/objects.ts';
import { planNft } from '../../kernel/nft/plan.ts';
import type { Statement } from '../../kernel/nft/selector.ts';
import type { Element } from '../../kernel/nft/set.ts';
import { accept, counter, drop, goto, jump, masquerade, remove, update } from '../../kernel/nft/statement.ts';
import { generationAfter, type NftDriver, type NftResult, type NftStep } from '../../kernel/nft/step.ts';
import { rulesetText } from '../../kernel/nft/text.ts';
import { verdict } from '../../kernel/nft/verdict.ts';
import { address, examples, prefix } from './example-tables.ts';

const id = { family: 'ip', name: 'netloom-suite' } as const;

/** States that differ in every way a plan has to bring about; each is whole by itself. */
export const states: readonly { readonly name: string; readonly tables: readonly Table[] }[] = [
  { name: 'nothing', tables: [] },
  { name: 'an empty table', tables: [table({ ...id })] },
  {
    name: 'a chain with rules',
    tables: [
      table({
        ...id,
        chains: [baseChain('forward', { type: 'filter', hook: 'forward', priority: 0 }), chain('services')],
        rules: [
          rule('forward', [jump('services')]),
          rule('services', [tcp.dport.equals(80), counter(), accept], { comment: 'web' }),
          rule('services', [meta.l4proto.in([6, 17]), drop]),
        ],
      }),
    ],
  },
  {
    name: 'other rules, another policy',
    tables: [
      table({
        ...id,
        chains: [
          baseChain('forward', { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' }),
          chain('services'),
        ],
        rules: [
          rule('forward', [ip.saddr.in(prefix('10.0.0.0/8')), goto('services')]),
          rule('services', [meta.l4proto.in([17, 6]), drop]),
          rule('services', [tcp.dport.equals(80), counter(), accept], { comment: 'shop' }),
        ],
      }),
    ],
  },
  {
    name: 'a base chain of another priority, a chain turned into a base chain',
    tables: [
      table({
        ...id,
        chains: [
          baseChain('forward', { type: 'filter', hook: 'forward', priority: 5 }),
          baseChain('services', { type: 'filter', hook: 'input', priority: 5 }),
        ],
        rules: [rule('services', [accept])],
      }),
    ],
  },
  {
    name: 'maps and sets',
    tables: [
      table({
        ...id,
        chains: [
          chain('a'),
          chain('b', { comment: 'second' }),
          baseChain('in', { type: 'filter', hook: 'input', priority: 0 }),
        ],
        sets: [
          map('to', {
            key: 'mark',
            data: 'verdict',
            elements: [
              element(1, { data: verdict.goto('a') }),
              element(2, { data: verdict.goto('b'), comment: 'to b' }),
            ],
          }),
          set('nets', {
            key: 'ipv4_addr',
            flags: ['interval'],
            elements: [element(prefix('10.0.0.0/8')), element(prefix('192.168.0.0/24'))],
          }),
        ],
        rules: [
          rule('in', [meta.mark.vmap('to')]),
          rule('a', [ip.saddr.inSet('nets'), drop]),
          rule('b', [goto('a')]),
        ],
      }),
    ],
  },
  {
    name: 'the same maps with other elements, a chain gone and one made anew',
    tables: [
      table({
        ...id,
        chains: [
          chain('a'),
          chain('c'),
          chain('b', { comment: 'third' }),
          baseChain('in', { type: 'filter', hook: 'input', priority: 0 }),
        ],
        sets: [
          map('to', {
            key: 'mark',
            data: 'verdict',
            elements: [
              element(1, { data: verdict.goto('c') }),
              element(2, { data: verdict.goto('b'), comment: 'to b' }),
              element(3, { data: verdict.drop }),
            ],
          }),
          set('nets', {
            key: 'ipv4_addr',
            flags: ['interval'],
            elements: [
              element(prefix('10.0.0.0/9')),
              element(prefix('10.128.0.0/9')),
              element({ first: address('192.168.0.7'), last: address('192.168.0.200') }),
            ],
          }),
        ],
        rules: [
          rule('in', [meta.mark.vmap('to')]),
          rule('c', [ip.saddr.inSet('nets'), drop]),
          rule('a', [goto('b')]),
        ],
      }),
    ],
  },
  {
    name: 'a set of another type under the same name',
    tables: [
      table({
        ...id,
        comment: 'other',
        chains: [baseChain('in', { type: 'filter', hook: 'input', priority: 0 })],
        sets: [
          set('nets', { key: ['ipv4_addr', 'inet_service'], elements: [element([address('10.0.0.1'), 80])] }),
        ],
        rules: [rule('in', [ip.saddr.equals(address('10.0.0.1')), accept])],
      }),
      table({
        family: 'ip6',
        name: 'netloom-suite',
        chains: [baseChain('post', { type: 'nat', hook: 'postrouting', priority: 100 })],
        rules: [rule('post', [masquerade()])],
      }),
    ],
  },
  ...examples.map(({ table: one }) => ({ name: `example ${tableKey(one)}`, tables: [one] })),
];

const ids = [
  ...new Map(states.flatMap(({ tables }) => tables).map((one) => [tableKey(one), one] as const)).values(),
];

/** All ordered pairs as one walk: an Euler tour of the complete graph, so that every transition happens once. */
function tour(count: number): readonly number[] {
  const edges = Array.from({ length: count }, (_, from) =>
    Array.from({ length: count }, (_, to) => to).filter((to) => to !== from),
  );
  const path: number[] = [];
  const stack = [0];
  for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
    const next = edges[at]?.pop();
    if (next === undefined) path.unshift(...stack.splice(-1));
    else stack.push(next);
  }
  return path;
}

function errnos(result: NftResult): readonly string[] {
  return result.kind === 'done' ? [] : result.faults.map(({ error }) => error.code);
}

function faultySteps(result: NftResult): readonly (NftStep | undefined)[] {
  return result.kind === 'done' ? [] : result.faults.map(({ step }) => step);
}

export function nftDriverSuite(open: () => { readonly driver: NftDriver; readonly close: () => void }): void {
  let driver: NftDriver;
  let close: () => void;
  beforeEach(() => {
    ({ driver, close } = open());
  });
  afterEach(() => {
    driver.close();
    close();
  });

  const make = (tables: readonly Table[]) =>
    generationAfter(driver.apply(planNft(nftState(tables), driver.read(ids).state)));

  describe('read and apply', () => {
    test.each(examples.map((one) => [tableKey(one.table), one] as const))(
      '%s comes back as it went in',
      (_, example) => {
        make([example.table]);
        const { state } = driver.read([example.table]);
        expect(rulesetText(state)).toBe(example.text);
        expect(planNft(nftState([example.table]), state)).toEqual([]);
      },
    );

    test('only tables that are asked for are read', () => {
      make([table({ ...id }), table({ family: 'ip6', name: 'netloom-suite' })]);
      expect([...driver.read([id]).state.keys()]).toEqual(['ip netloom-suite']);
      expect([...driver.read([{ family: 'inet', name: 'absent' }]).state.keys()]).toEqual([]);
    });

    test('the elements of named sets can be left out', () => {
      make([
        table({
          ...id,
          sets: [set('nets', { key: 'ipv4_addr', elements: [element(address('10.0.0.1'))] })],
          chains: [chain('a')],
          rules: [rule('a', [ip.saddr.inSet('nets'), meta.l4proto.in([6, 17]), drop])],
        }),
      ]);
      const { state } = driver.read([id], { elements: false });
      expect(state.get(tableKey(id))?.sets.get('nets')?.elements.size).toBe(0);
      expect(rulesetText(state)).toContain('ip saddr @nets meta l4proto { tcp, udp } drop');
    });

    test('elements are found by their keys', () => {
      const hash = map('ports', {
        key: ['inet_proto', 'inet_service'],
        data: ['ipv4_addr', 'inet_service'],
        elements: [element([6, 80], { data: [address('10.0.0.1'), 8080], comment: 'web' })],
      });
      const pairs = set('pairs', {
        key: ['ipv4_addr', 'ipv4_addr'],
        flags: ['interval'],
        elements: [element([prefix('10.0.0.0/16'), prefix('10.1.0.0/16')], { comment: 'two' })],
      });
      make([table({ ...id, sets: [hash, pairs] })]);
      expect(driver.has(id)).toBe(true);
      expect(driver.find(id, hash, [element([17, 80]), element([6, 80])])).toEqual([
        undefined,
        element([6, 80], { data: [address('10.0.0.1'), 8080], comment: 'web' }),
      ]);
      const wanted = [prefix('10.0.1.0/24'), prefix('10.1.0.0/24')];
      expect(driver.find(id, pairs, [element(wanted)])[0]?.comment).toBe('two');
      expect(driver.find(id, pairs, [element([prefix('10.2.0.0/16'), prefix('10.1.0.0/16')])])).toEqual([
        undefined,
      ]);
    });

    test('elements come some at a time, and the driver does other things between', () => {
      const many = map('many', {
        key: ['classid', 'integer'],
        data: ['ipv4_addr', 'inet_service'],
        size: 5000,
        elements: Array.from({ length: 5000 }, (_, i) =>
          element([i, 1], {
            data: [address('10.0.0.0').plus(i), 8080],
            ...(i % 1000 === 7 ? { comment: `number ${i}` } : {}),
          }),
        ),
      });
      const generation = make([table({ ...id, sets: [many] })]);
      const found = new Map<string, Element>();
      let steps = 0;
      for (const some of driver.readElements(id, many)) {
        steps += 1;
        expect(driver.generation()).toBe(generation);
        for (const one of some) found.set(elementKey(many, one), one);
      }
      expect(steps).toBeGreaterThan(1);
      expect(found.size).toBe(5000);
      expect([...found].sort()).toEqual([...many.elements].sort());
    });

    test('reading elements step by step ends when anybody changes the ruleset', () => {
      const many = set('many', {
        key: 'mark',
        size: 9000,
        elements: Array.from({ length: 9000 }, (_, i) => element(i)),
      });
      make([table({ ...id, sets: [many] })]);
      let read = 0;
      let fault: unknown;
      try {
        for (const some of driver.readElements(id, many)) {
          if (read === 0)
            generationAfter(driver.apply([{ kind: 'chain-add', table: id, chain: chain('new') }]));
          read += some.length;
        }
      } catch (error) {
        fault = error;
      }
      expect(isInterrupted(fault)).toBe(true);
      expect(read).toBeLessThan(9000);
      // One that is given up half way leaves nothing behind.
      for (const some of driver.readElements(id, many)) {
        expect(some.length).toBeGreaterThan(0);
        break;
      }
      expect([...driver.readElements(id, many)].flat()).toHaveLength(9000);
    });

    test('elements of every form of set come step by step as they come at once', () => {
      const sets = [
        set('nets', {
          key: 'ipv4_addr',
          flags: ['interval'],
          elements: [element(prefix('10.0.0.0/8')), element(address('192.168.0.1'), { comment: 'one' })],
        }),
        set('ranges', {
          key: ['ipv4_addr', 'inet_service'],
          flags: ['interval'],
          elements: [element([prefix('10.0.0.0/8'), { first: 30000, last: 32767 }])],
        }),
        map('to', {
          key: 'mark',
          data: 'verdict',
          elements: [element(1, { data: verdict.drop }), element('default', { data: verdict.return })],
        }),
        set('links', { key: 'ifname', elements: [element('lo')] }),
        set('empty', { key: 'mark' }),
      ];
      make([table({ ...id, sets })]);
      for (const one of sets) {
        const found = [...driver.readElements(id, one)].flat();
        expect(elementsOf(one, found)).toEqual(one.elements);
      }
    });

    test('there are no elements to read of what is not there', () => {
      const read = (name: string) => {
        try {
          return [...driver.readElements(id, set(name, { key: 'mark' }))];
        } catch (error) {
          return isNotFound(error);
        }
      };
      expect(read('absent')).toBe(true);
      make([table({ ...id })]);
      expect(read('absent')).toBe(true);
    });

    test('nothing is found in what is not there', () => {
      const absent = set('absent', { key: 'mark' });
      expect(driver.has(id)).toBe(false);
      expect(driver.find(id, absent, [element(1)])).toEqual([undefined]);
      make([table({ ...id })]);
      expect(driver.find(id, absent, [element(1)])).toEqual([undefined]);
    });

    test('any state turns into any other, and then nothing is left to do', () => {
      for (const index of tour(states.length)) {
        const wanted = nftState(states[index]?.tables ?? []);
        const reading = driver.read(ids);
        const steps = planNft(wanted, reading.state);
        const result = driver.apply(steps, { generation: reading.generation });
        expect({ to: states[index]?.name, errors: errnos(result) }).toEqual({
          to: states[index]?.name,
          errors: [],
        });
        expect(planNft(wanted, driver.read(ids).state)).toEqual([]);
      }
    });
  });

  describe('transactions', () => {
    const svc = map('svc', {
      key: 'mark',
      data: 'verdict',
      elements: [element(1, { data: verdict.goto('target') })],
    });
    const ours = table({
      ...id,
      chains: [
        chain('target'),
        chain('other'),
        baseChain('in', { type: 'filter', hook: 'input', priority: 0 }),
      ],
      sets: [svc],
      rules: [rule('in', [jump('other')]), rule('in', [meta.mark.vmap('svc')])],
    });
    const target = chain('target');

    beforeEach(() => {
      make([ours]);
    });

    test('apply all or nothing, and name each faulty step', () => {
      const before = rulesetText(driver.read([id]).state);
      const steps: readonly NftStep[] = [
        { kind: 'chain-add', table: id, chain: chain('new') },
        { kind: 'element-delete', table: id, set: svc, element: element(7) },
        { kind: 'element-add', table: id, set: svc, element: element(8, { data: verdict.accept }) },
        { kind: 'element-add', table: id, set: svc, element: element(1, { data: verdict.goto('target') }) },
        { kind: 'chain-add', table: id, chain: target },
        { kind: 'rule-add', table: id, rule: rule('absent', [accept]) },
      ];
      const result = driver.apply(steps);
      expect(errnos(result)).toEqual(['ENOENT', 'EEXIST', 'EEXIST', 'ENOENT']);
      expect(faultySteps(result)).toEqual([steps[1], steps[3], steps[4], steps[5]]);
      expect(rulesetText(driver.read([id]).state)).toBe(before);
    });

    test.each<[string, NftStep, string]>([
      ['a table that is there', { kind: 'table-add', table: id }, 'EEXIST'],
      ['a table that is not there', { kind: 'table-delete', table: { ...id, name: 'absent' } }, 'ENOENT'],
      [
        'a chain in a table that is not there',
        { kind: 'chain-add', table: { ...id, name: 'absent' }, chain: target },
        'ENOENT',
      ],
      ['a chain that is not there', { kind: 'chain-delete', table: id, chain: chain('absent') }, 'ENOENT'],
      ['a chain that a map leads to', { kind: 'chain-delete', table: id, chain: target }, 'EBUSY'],
      ['a chain that a rule leads to', { kind: 'chain-delete', table: id, chain: chain('other') }, 'EBUSY'],
      ['a set that a rule looks into', { kind: 'set-delete', table: id, set: svc }, 'EBUSY'],
      ['a set that is there', { kind: 'set-add', table: id, set: svc }, 'EEXIST'],
      [
        'a set that is not there',
        { kind: 'set-delete', table: id, set: { ...svc, name: 'absent' } },
        'ENOENT',
      ],
      [
        'a rule with a jump to nowhere',
        { kind: 'rule-add', table: id, rule: rule('in', [jump('absent')]) },
        'ENOENT',
      ],
      [
        'a rule with a jump to a base chain',
        { kind: 'rule-add', table: id, rule: rule('other', [jump('in')]) },
        'EOPNOTSUPP',
      ],
      [
        'a rule with a set that is not there',
        { kind: 'rule-add', table: id, rule: rule('in', [ip.saddr.inSet('absent')]) },
        'ENOENT',
      ],
      [
        'a rule with a counter that is not there',
        { kind: 'rule-add', table: id, rule: rule('in', [counter('absent')]) },
        'ENOENT',
      ],
      [
        'a verdict that leads nowhere',
        { kind: 'element-add', table: id, set: svc, element: element(9, { data: verdict.goto('absent') }) },
        'ENOENT',
      ],
      [
        'masquerading where packets come in',
        { kind: 'rule-add', table: id, rule: rule('in', [masquerade()]) },
        'EOPNOTSUPP',
      ],
      ['a loop', { kind: 'rule-add', table: id, rule: rule('other', [jump('other')]) }, 'EMLINK'],
    ])('refuse %s', (_, step, code) => {
      const before = rulesetText(driver.read([id]).state);
      expect(errnos(driver.apply([step]))).toEqual([code]);
      expect(rulesetText(driver.read([id]).state)).toBe(before);
    });

    test.each<[string, Statement, string]>([
      ['a map without data', update('affinity', { key: ip.saddr }), 'EINVAL'],
      ['deleting in a map without data', remove('affinity', { key: ip.saddr }), 'EINVAL'],
      ['a set with data', update('seen', { key: ip.saddr, data: meta.priority }), 'EOPNOTSUPP'],
      ['a map of verdicts', update('svc', { key: meta.mark, data: meta.priority }), 'EOPNOTSUPP'],
      ['a timeout in a set without', update('seen', { key: ip.saddr, timeout: 1000 }), 'EOPNOTSUPP'],
      ['a set that is not there', update('absent', { key: ip.saddr }), 'ENOENT'],
    ])('refuse packets that fill %s', (_, statement, code) => {
      const affinity = map('affinity', {
        key: 'ipv4_addr',
        data: 'classid',
        flags: ['dynamic'],
        timeout: 1000,
      });
      const seen = set('seen', { key: 'ipv4_addr', flags: ['dynamic'] });
      const sets = [affinity, seen].map((one): NftStep => ({ kind: 'set-add', table: id, set: one }));
      generationAfter(driver.apply(sets));
      expect(
        errnos(driver.apply([{ kind: 'rule-add', table: id, rule: rule('other', [statement]) }])),
      ).toEqual([code]);
    });

    test('refuse intervals that overlap, and take them once the other is gone', () => {
      const nets = set('nets', { key: 'ipv4_addr', flags: ['interval'] });
      const add = (text: string): NftStep => ({
        kind: 'element-add',
        table: id,
        set: nets,
        element: element(prefix(text)),
      });
      generationAfter(driver.apply([{ kind: 'set-add', table: id, set: nets }, add('10.0.0.0/8')]));
      expect(errnos(driver.apply([add('10.1.0.0/16')]))).toEqual(['EEXIST']);
      const swap: readonly NftStep[] = [
        { kind: 'element-delete', table: id, set: nets, element: element(prefix('10.0.0.0/8')) },
        add('10.1.0.0/16'),
      ];
      generationAfter(driver.apply(swap));
      expect([
        ...(driver.read([id]).state.get(tableKey(id))?.sets.get('nets')?.elements.keys() ?? []),
      ]).toEqual(['10.1.0.0/16']);
    });

    test('a full set is refused', () => {
      const small = set('small', { key: 'inet_service', size: 2 });
      const add = (port: number): NftStep => ({
        kind: 'element-add',
        table: id,
        set: small,
        element: element(port),
      });
      generationAfter(driver.apply([{ kind: 'set-add', table: id, set: small }, add(1), add(2)]));
      expect(errnos(driver.apply([add(3)]))).toEqual(['ENFILE']);
    });
  });

  describe('generations', () => {
    test('grow with each transaction, and an old one is refused', () => {
      const first = driver.generation();
      const second = generationAfter(driver.apply([{ kind: 'table-add', table: id }], { generation: first }));
      expect(second).toBe(first + 1);
      expect(driver.generation()).toBe(second);
      const stale = driver.apply([{ kind: 'table-delete', table: id }], { generation: first });
      expect(stale.kind === 'refused' && stale.faults.map(({ error }) => isStaleGeneration(error))).toEqual([
        true,
      ]);
      expect(driver.read([id])).toMatchObject({ generation: second });
      expect(driver.read([id]).state.size).toBe(1);
    });

    test('no steps change nothing', () => {
      const before = driver.generation();
      expect(driver.apply([])).toEqual({ kind: 'done', generation: before });
    });

    test('a refused transaction does not count', () => {
      const before = driver.generation();
      driver.apply([{ kind: 'table-delete', table: id }]);
      expect(driver.generation()).toBe(before);
    });
  });

  test('errors of a transaction can be thrown and asked', () => {
    const thrown = (steps: readonly NftStep[]): unknown => {
      try {
        generationAfter(driver.apply(steps));
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const gone: NftStep = { kind: 'table-delete', table: id };
    expect(isNotFound(thrown([gone]))).toBe(true);
    expect(
      isExists(
        thrown([
          { kind: 'table-add', table: id },
          { kind: 'table-add', table: id },
        ]),
      ),
    ).toBe(true);
    expect(thrown([gone, gone])).toBeInstanceOf(AggregateError);
    expect(String(thrown([gone]))).toContain('Cannot delete table "ip netloom-suite"');
  });
}
