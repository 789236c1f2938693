import { describe, expect, test } from '@jest/globals';
import { isSameBurst } from './bucket-clock.ts';
import { type OwnQdisc, type Qdisc, type Redirect, tcState } from './objects.ts';
import { type DesiredTc, planTc } from './plan.ts';
import { tcStepText } from './text.ts';

const tbf = (link: string, rate = 1000): OwnQdisc => ({ kind: 'tbf', link, rate, burst: 2000, limit: 3000 });
const hook: OwnQdisc = { kind: 'ingress', link: 'v' };
const redirect: Redirect = { link: 'v', to: 'i' };

function desired(qdiscs: readonly OwnQdisc[], redirects: readonly Redirect[] = []): DesiredTc {
  const state = tcState({ qdiscs, redirects });
  // The qdiscs are those that were given.
  return { qdiscs: state.qdiscs as ReadonlyMap<string, OwnQdisc>, redirects: state.redirects };
}

const filter = 'dev v parent ffff: protocol all pref 1';
const bucketText = (rate: number) => `rate ${rate}bps burst 2000b limit 3000b`;

describe('plan', () => {
  const cases: readonly {
    readonly title: string;
    readonly want: DesiredTc;
    readonly have: { readonly qdiscs?: readonly Qdisc[]; readonly redirects?: readonly Redirect[] };
    readonly steps: readonly string[];
  }[] = [
    {
      title: 'everything, from nothing: limits first, then what leads to them',
      want: desired([tbf('v'), tbf('i'), hook], [redirect]),
      have: {},
      steps: [
        `tc qdisc add dev v root handle 1: tbf ${bucketText(1000)}`,
        `tc qdisc add dev i root handle 1: tbf ${bucketText(1000)}`,
        'tc qdisc add dev v ingress',
        `tc filter add ${filter} u32 match u32 0 0 action mirred egress redirect dev i`,
      ],
    },
    {
      title: 'nothing, from everything: the redirect first',
      want: desired([]),
      have: { qdiscs: [tbf('v'), hook, tbf('i')], redirects: [redirect] },
      steps: [
        `tc filter delete ${filter}`,
        'tc qdisc delete dev v root',
        'tc qdisc delete dev v ingress',
        'tc qdisc delete dev i root',
      ],
    },
    {
      title: 'other numbers',
      want: desired([tbf('v', 5000), hook], [redirect]),
      have: { qdiscs: [tbf('v'), hook], redirects: [redirect] },
      steps: [`tc qdisc change dev v root handle 1: tbf ${bucketText(5000)}`],
    },
    {
      title: 'another target',
      want: desired([hook], [{ link: 'v', to: 'j' }]),
      have: { qdiscs: [hook], redirects: [{ link: 'v', to: '' }] },
      steps: [
        `tc filter delete ${filter}`,
        `tc filter add ${filter} u32 match u32 0 0 action mirred egress redirect dev j`,
      ],
    },
    {
      title: "a stranger's qdisc: ours is tried beside it, theirs is left",
      want: desired([tbf('v')]),
      have: {
        qdiscs: [
          { kind: 'other', link: 'v', place: 'root', type: 'fq' },
          { kind: 'other', link: 'v', place: 'ingress', type: 'clsact' },
        ],
      },
      steps: [`tc qdisc add dev v root handle 1: tbf ${bucketText(1000)}`],
    },
    {
      title: 'as it is',
      want: desired([tbf('v'), hook], [redirect]),
      have: { qdiscs: [hook, tbf('v')], redirects: [redirect] },
      steps: [],
    },
  ];
  test.each(cases)('$title', ({ want, have, steps }) => {
    expect(planTc(want, tcState(have)).map(tcStepText)).toEqual(steps);
  });
});

test.each([
  ['the same', 1000, 2000, 2000, true],
  ['a byte less', 1000, 2000, 1999, true],
  ['what one tick is worth at 100 Gbit/s', 12.5e9, 100_000, 99_200, true],
  ['ten times that', 12.5e9, 100_000, 92_000, false],
  ['half', 1000, 2000, 1000, false],
  ['as the kernel reports what takes 1514 s: less a period of 274.9 s', 1, 1514, 139, true],
  ['the end of a period beside its begin', 1, 275, 0, true],
])('a burst is the same or not: %s', (_, rate, wanted, actual, same) => {
  expect(isSameBurst({ rate, burst: wanted }, { rate, burst: actual })).toBe(same);
});
