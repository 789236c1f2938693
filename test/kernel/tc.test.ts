// Traffic control on the real kernel. The oracle is `tc` of iproute2: it reads what the driver wrote, and the driver reads what
// `tc` wrote from the text of the same steps.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import { openTcDriver } from '../../kernel/tc/driver.ts';
import { type OwnQdisc, type Redirect, type TcState, tcState } from '../../kernel/tc/objects.ts';
import { type DesiredTc, planTc } from '../../kernel/tc/plan.ts';
import type { TcDriver, TcStepResult } from '../../kernel/tc/step.ts';
import { tcStepText } from '../../kernel/tc/text.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

let place: TestNetns;
let route: RouteAccess;
let driver: TcDriver;
const links = ['i0', 'i1'];

beforeAll(refuseRoot);

beforeEach(() => {
  place = testNetns();
  route = openRouteDriver({ netns: place.netns });
  driver = openTcDriver({ netns: place.netns });
  const added = route.apply(
    links.map((name) => ({ kind: 'link-add', link: { name, detail: { kind: 'ifb' }, up: true } })),
  );
  expect(failures(added)).toEqual([]);
});

afterEach(() => {
  driver.close();
  route.close();
  place[Symbol.dispose]();
});

function failures(results: readonly { readonly error?: Error | undefined }[]): readonly string[] {
  return results.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
}

function tc(command: string): string {
  const [, ...words] = command.split(' ');
  return execFileSync('tc', ['-n', place.name, ...words], { encoding: 'utf8' });
}

function desired(objects: {
  readonly qdiscs?: readonly OwnQdisc[];
  readonly redirects?: readonly Redirect[];
}): DesiredTc {
  const { qdiscs = [], redirects = [] } = objects;
  return {
    qdiscs: new Map(
      qdiscs.map((qdisc) => [`${qdisc.link} ${qdisc.kind === 'tbf' ? 'root' : 'ingress'}`, qdisc]),
    ),
    redirects: new Map(redirects.map((redirect) => [redirect.link, redirect])),
  };
}

function reconcile(wanted: DesiredTc): readonly TcStepResult[] {
  const results = driver.apply(planTc(wanted, driver.read(links)));
  expect(failures(results)).toEqual([]);
  expect(planTc(wanted, driver.read(links))).toEqual([]);
  return results;
}

function shown(state: TcState): unknown {
  return [...state.qdiscs.values(), ...state.redirects.values()];
}

/** Qdiscs as `tc -j` prints them, without counters and the kernel's defaults. */
function qdiscsOfTc(): unknown {
  const printed: readonly {
    readonly dev: string;
    readonly kind: string;
    readonly handle: string;
    readonly options: unknown;
  }[] = JSON.parse(tc('tc -j qdisc show'));
  return printed
    .filter(({ handle }) => handle !== '0:')
    .map(({ dev, kind, handle, options }) => ({ dev, kind, handle, options }));
}

const buckets = [
  { title: '8 Mbit/s', rate: 1_000_000, burst: 10_240, limit: 35_240 },
  {
    title: 'a byte a second, whose burst takes longer than the kernel can say',
    rate: 1,
    burst: 1514,
    limit: 1514,
  },
  { title: 'one below 2^32 bytes a second', rate: 0xffff_ffff, burst: 1 << 20, limit: 108_000_000 },
  { title: '2^32 bytes a second', rate: 2 ** 32, burst: 1 << 20, limit: 108_000_000 },
  { title: '400 Gbit/s', rate: 50_000_000_000, burst: 0xffff_ffff, limit: 0xffff_ffff },
  { title: 'a burst of four seconds', rate: 12_500_000, burst: 53_000_000, limit: 53_312_500 },
] as const;

const hooked = desired({
  qdiscs: [
    { kind: 'ingress', link: 'i0' },
    { kind: 'tbf', link: 'i1', rate: 125_000, burst: 10_000, limit: 20_000 },
  ],
  redirects: [{ link: 'i0', to: 'i1' }],
});

test('the clock of token buckets is the one that we compute with', () => {
  const [nanoseconds, perTick] = readFileSync('/proc/net/psched', 'latin1')
    .split(' ')
    .map((word) => Number.parseInt(word, 16));
  expect([nanoseconds, perTick]).toEqual([1000, 64]);
});

describe('token buckets', () => {
  test.each(buckets)('$title: written, read back, and read by tc', ({ title: _, ...numbers }) => {
    const bucket: OwnQdisc = { kind: 'tbf', link: 'i0', ...numbers };
    reconcile(desired({ qdiscs: [bucket] }));
    const [read] = driver.read(['i0']).qdiscs.values();
    expect(read).toMatchObject({ kind: 'tbf', rate: numbers.rate, limit: numbers.limit });
    const [printed] = JSON.parse(tc('tc -j qdisc show dev i0')) as {
      readonly handle: string;
      readonly options: { readonly rate: number; readonly burst: number };
    }[];
    expect(printed?.handle).toBe('1:');
    expect(printed?.options.rate).toBe(numbers.rate);
    // `tc` counts whole microseconds, the kernel and we ticks.
    const finer = (read?.kind === 'tbf' ? read.burst : Number.NaN) - (printed?.options.burst ?? Number.NaN);
    expect(finer).toBeGreaterThanOrEqual(0);
    expect(finer).toBeLessThanOrEqual(1 + numbers.rate / 1e6);
  });

  test.each(buckets.slice(0, 1))(
    'the same from the text of the step, run by tc',
    ({ title: _, ...numbers }) => {
      const wanted = desired({ qdiscs: [{ kind: 'tbf', link: 'i0', ...numbers }] });
      const [step] = planTc(wanted, driver.read(links));
      if (step === undefined) throw new TypeError('Cannot find the step');
      tc(tcStepText(step));
      expect(planTc(wanted, driver.read(links))).toEqual([]);
    },
  );

  test('change their numbers in place', () => {
    reconcile(desired({ qdiscs: [{ kind: 'tbf', link: 'i0', rate: 1000, burst: 2000, limit: 3000 }] }));
    const results = reconcile(
      desired({ qdiscs: [{ kind: 'tbf', link: 'i0', rate: 5_000_000_000, burst: 200_000, limit: 300_000 }] }),
    );
    expect(results.map(({ step }) => tcStepText(step))).toEqual([
      'tc qdisc change dev i0 root handle 1: tbf rate 5000000000bps burst 200000b limit 300000b',
    ]);
    reconcile(desired({ qdiscs: [{ kind: 'tbf', link: 'i0', rate: 1000, burst: 2000, limit: 3000 }] }));
  });
});

test('all that comes in is redirected: tc reads what the driver wrote', () => {
  reconcile(hooked);
  const [, , filter] = JSON.parse(tc('tc -j filter show dev i0 ingress'));
  expect(filter).toMatchObject({
    protocol: 'all',
    pref: 1,
    kind: 'u32',
    options: {
      match: { value: '0', mask: '0' },
      actions: [{ kind: 'mirred', mirred_action: 'redirect', direction: 'egress', to_dev: 'i1' }],
    },
  });
});

test('the driver reads what tc wrote, and the way back is the same', () => {
  const steps = planTc(hooked, tcState({}));
  for (const step of steps) tc(tcStepText(step));
  const byTc = { qdiscs: qdiscsOfTc(), read: shown(driver.read(links)) };
  expect(planTc(hooked, driver.read(links))).toEqual([]);
  for (const step of planTc(desired({}), driver.read(links))) tc(tcStepText(step));
  expect(shown(driver.read(links))).toEqual([]);
  expect(qdiscsOfTc()).toEqual([]);
  reconcile(hooked);
  expect({ qdiscs: qdiscsOfTc(), read: shown(driver.read(links)) }).toEqual(byTc);
  reconcile(desired({}));
  expect(qdiscsOfTc()).toEqual([]);
});

test('a redirect whose target went away is found and made anew', () => {
  reconcile(hooked);
  const target = { name: 'i1', detail: { kind: 'ifb' }, up: true } as const;
  expect(
    failures(
      route.apply([
        { kind: 'link-delete', link: target },
        { kind: 'link-add', link: target },
      ]),
    ),
  ).toEqual([]);
  expect([...driver.read(links).redirects.values()]).toEqual([{ link: 'i0', to: '' }]);
  reconcile(hooked);
});

test("a stranger's qdisc stays, and so does a filter of another preference", () => {
  tc('tc qdisc add dev i0 root handle 7: pfifo limit 9');
  tc('tc qdisc add dev i1 ingress');
  tc('tc filter add dev i1 parent ffff: protocol ip pref 9 u32 match u32 0 0 flowid 1:1');
  const state = driver.read(links);
  expect(shown(state)).toEqual([
    { kind: 'other', link: 'i0', place: 'root', type: 'pfifo' },
    { kind: 'ingress', link: 'i1' },
  ]);
  const wanted = desired({ qdiscs: [{ kind: 'tbf', link: 'i0', rate: 1000, burst: 2000, limit: 3000 }] });
  expect(failures(driver.apply(planTc(wanted, state)).slice(0, 1))).toEqual([
    'Cannot add qdisc "dev i0 root handle 1: tbf rate 1000bps burst 2000b limit 3000b": file already exists (EEXIST): NLM_F_REPLACE needed to override',
  ]);
  const ours: OwnQdisc = { kind: 'tbf', link: 'i0', rate: 1000, burst: 2000, limit: 3000 };
  const [refused] = driver.apply([{ kind: 'qdisc-delete', qdisc: ours }]);
  expect(refused?.error?.message).toMatch(
    /^Cannot delete qdisc "dev i0 root handle 1: tbf .*Invalid handle$/,
  );
});

test('says what it could not do, and takes what is missing for deleted', () => {
  const gone = { kind: 'tbf', link: 'x9', rate: 1000, burst: 2000, limit: 3000 } as const;
  expect(failures(driver.apply([{ kind: 'qdisc-add', qdisc: gone }]))).toEqual([
    'Cannot add qdisc "dev x9 root handle 1: tbf rate 1000bps burst 2000b limit 3000b": no such device (ENODEV): Cannot find link "x9": no such device (ENODEV)',
  ]);
  expect(
    failures(
      driver.apply([
        { kind: 'qdisc-delete', qdisc: gone },
        { kind: 'qdisc-delete', qdisc: { kind: 'ingress', link: 'i0' } },
      ]),
    ),
  ).toEqual([]);
  expect(shown(driver.read(['x9']))).toEqual([]);
  const [unhooked] = driver.apply([{ kind: 'redirect-add', redirect: { link: 'i0', to: 'i1' } }]);
  expect(unhooked?.error?.message).toMatch(/^Cannot add filter "dev i0 parent ffff: .* dev i1": /);
});
