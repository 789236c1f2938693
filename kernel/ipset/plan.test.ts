import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { type Ipset, type IpsetHeader, type IpsetState, ipsetEntries } from './objects.ts';
import { type IpsetPlan, planIpsets, type WantedIpset } from './plan.ts';
import { ipsetStepText } from './text.ts';

const set: Ipset = { name: 'S', type: 'hash:ip', family: 4, maxElements: 4 };

function entries(...last: readonly number[]) {
  return ipsetEntries(last.map((one) => ({ address: IpAddress.parse(`10.0.0.${one}`) })));
}

function state(header: Partial<IpsetHeader>, ...last: readonly number[]): readonly [string, IpsetState] {
  const usual = { name: 'S', type: 'hash:ip', family: 2, maxElements: 4, isPlain: true, references: 1 };
  return [header.name ?? 'S', { header: { ...usual, ...header }, entries: entries(...last) }];
}

function planned(wanted: readonly WantedIpset[], ...actual: readonly (readonly [string, IpsetState])[]) {
  const plan = planIpsets(wanted, new Map(actual));
  const texts = (part: keyof IpsetPlan) =>
    plan[part].map((step) => ipsetStepText(step).replace('ipset ', ''));
  return { make: texts('make'), add: texts('add'), delete: texts('delete'), destroy: texts('destroy') };
}

const none = { make: [], add: [], delete: [], destroy: [] };
const one: WantedIpset = { set, entries: entries(1, 2) };

describe('planIpsets', () => {
  test('makes what is missing and takes away what is too much', () => {
    expect(planned([one], state({ name: 'OLD' }, 7))).toEqual({
      make: ['create S hash:ip family inet maxelem 4'],
      add: ['add S 10.0.0.1', 'add S 10.0.0.2'],
      delete: [],
      destroy: ['destroy OLD'],
    });
    expect(planned([one], state({}, 2, 3))).toEqual({
      ...none,
      add: ['add S 10.0.0.1'],
      delete: ['del S 10.0.0.3'],
    });
    expect(planned([one], state({}, 2, 1))).toEqual(none);
  });

  test('keeps a set that holds more than was asked for', () => {
    expect(planned([one], state({ maxElements: 100 }, 1, 2))).toEqual(none);
  });

  test('looks at no entry of the same map', () => {
    const [name, { header }] = state({});
    expect(planned([one], [name, { header, entries: one.entries }])).toEqual(none);
  });

  test('makes a set as large as its entries want', () => {
    expect(planned([{ set, entries: entries(1, 2, 3, 4, 5) }]).make).toEqual([
      'create S hash:ip family inet maxelem 8',
    ]);
  });

  test('fills a larger one and swaps', () => {
    const steps = (most: number, ...last: readonly number[]) => [
      `create NETLOOM-SPARE hash:ip family inet maxelem ${most}`,
      ...last.map((each) => `add NETLOOM-SPARE 10.0.0.${each}`),
      'swap S NETLOOM-SPARE',
      'destroy NETLOOM-SPARE',
    ];
    expect(planned([{ set, entries: entries(1, 2, 3, 4, 5) }], state({}, 1))).toEqual({
      ...none,
      make: steps(8, 1, 2, 3, 4, 5),
    });
    // They fit, but not together with those that go.
    expect(planned([{ set, entries: entries(1, 2, 3) }], state({}, 4, 5))).toEqual({
      ...none,
      make: steps(4, 1, 2, 3),
    });
    expect(planned([one], state({ isPlain: false }, 1, 2))).toEqual({ ...none, make: steps(4, 1, 2) });
  });

  test('makes a set of another type anew, unless rules ask it', () => {
    const other = state({ type: 'hash:net', references: 0 }, 1, 2);
    expect(planned([one], other)).toEqual({
      ...none,
      make: ['destroy S', 'create S hash:ip family inet maxelem 4'],
      add: ['add S 10.0.0.1', 'add S 10.0.0.2'],
    });
    expect(planned([one], state({ family: 10 }, 1))).toEqual({ ...none, make: ['destroy S'] });
  });

  test('begins with what a plan before left', () => {
    expect(planned([], state({ name: 'NETLOOM-SPARE' }))).toEqual({
      ...none,
      make: ['destroy NETLOOM-SPARE'],
    });
  });
});
