// What every driver of ipset must do: run on the fake by kernel/ipset/fake.test.ts and on the kernel by test/kernel/ipset.test.ts.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  disturbances,
  isOurs,
  refusals,
  show,
  states,
  withoutEffect,
} from '../../kernel/ipset/driver-cases.ts';
import type { IpsetAccess, IpsetStep } from '../../kernel/ipset/objects.ts';
import { ipsetSteps, planIpsets, type WantedIpset } from '../../kernel/ipset/plan.ts';
import { readIpsets } from '../../kernel/ipset/read-sets.ts';
import { ipsetStepText } from '../../kernel/ipset/text.ts';

/** What went wrong; empty when nothing did. */
export function failures(results: ReturnType<IpsetAccess['apply']>): readonly string[] {
  return results.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
}

/** The steps from what is there to what is wanted. */
export function planned(access: IpsetAccess, wanted: readonly WantedIpset[]): readonly IpsetStep[] {
  return ipsetSteps(planIpsets(wanted, readIpsets(access, isOurs)));
}

/** From whatever is there to the state, which a second look finds unchanged. */
export function reconcile(access: IpsetAccess, { wanted, shown }: (typeof states)[number]): void {
  expect(failures(access.apply(planned(access, wanted)))).toEqual([]);
  expect(show(access)).toEqual(shown);
  expect(planned(access, wanted).map(ipsetStepText)).toEqual([]);
}

/** Each test gets sets of its own: none. */
export function ipsetDriverSuite(
  open: () => { readonly access: IpsetAccess; readonly close: () => void },
): void {
  let access: IpsetAccess;
  let close: () => void;
  beforeEach(() => {
    ({ access, close } = open());
  });
  afterEach(() => close());

  test.each(states.map((from) => [from.name, from] as const))('from "%s" to every other', (_, from) => {
    for (const to of states) {
      reconcile(access, from);
      reconcile(access, to);
    }
  });

  test.each(disturbances)('heals: $name', ({ steps, lost, more }) => {
    const [, , every] = states;
    reconcile(access, every);
    expect(failures(access.apply(steps))).toEqual([]);
    expect(show(access)).toEqual([...every.shown.filter((line) => !lost.includes(line)), ...more].sort());
    reconcile(access, every);
  });

  test.each(refusals)('refuses: $name', ({ steps, message }) => {
    expect(failures(access.apply(steps.slice(0, -1)))).toEqual([]);
    expect(failures(access.apply(steps.slice(-1)))).toEqual([expect.stringMatching(message)]);
  });

  test('takes away what is not there', () => {
    expect(failures(access.apply(withoutEffect))).toEqual([]);
    expect(access.entries('KUBE-NONE')).toBeUndefined();
    expect([...access.entrySlices('KUBE-NONE')]).toEqual([]);
  });
}
