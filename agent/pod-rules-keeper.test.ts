import { expect, test } from '@jest/globals';
import { createPodRulesKeeper } from './pod-rules-keeper.ts';

/** A firewall in which `found` is what each look finds to change; each look takes 10 ms. */
function keeperOf(found: readonly (readonly string[])[]) {
  let time = 0;
  let looks = 0;
  const keeper = createPodRulesKeeper({
    records: { all: () => ({ records: [], spoilt: [] }) },
    firewall: {
      changed: () => true,
      async ensure() {
        time += 10;
        looks += 1;
        return found[looks - 1] ?? [];
      },
    },
    now: () => time,
  });
  return {
    keeper,
    looks: () => looks,
    wait: (milliseconds: number) => {
      time += milliseconds;
    },
  };
}

test('looks at the start, and then when there was a change', async () => {
  const { keeper, looks } = keeperOf([['a table']]);
  expect(keeper.changed()).toBe(true);
  expect(await keeper.ensure()).toEqual(['a table']);
  expect(looks()).toBe(1);
});

test('after a look that found nothing it rests, however much others change', async () => {
  const { keeper, looks, wait } = keeperOf([]);
  await keeper.ensure();
  for (let i = 0; i < 19; i++) {
    wait(10);
    expect(keeper.changed()).toBe(false);
    expect(await keeper.ensure()).toEqual([]);
  }
  expect(looks()).toBe(1);
  wait(10);
  expect(keeper.changed()).toBe(true);
  await keeper.ensure();
  expect(looks()).toBe(2);
});

test('after a look that found something it does not rest', async () => {
  const { keeper, looks } = keeperOf([['a'], ['b']]);
  await keeper.ensure();
  expect(await keeper.ensure()).toEqual(['b']);
  expect(looks()).toBe(2);
});
