import { expect, test } from '@jest/globals';
import { SeenGeneration } from './seen-generation.ts';

test('before the first look nothing differs, and nothing is current', () => {
  const seen = new SeenGeneration();
  expect([seen.differs(() => 5), seen.isCurrent(5)]).toEqual([false, false]);
});

test('what one of the group changes is no news to the others', () => {
  const one = new SeenGeneration();
  const two = new SeenGeneration(one);
  const never = new SeenGeneration(one);
  const stranger = new SeenGeneration();
  for (const seen of [one, two, stranger]) seen.looked(5);
  two.made(5, 6);
  expect([one, two, never, stranger].map((seen) => seen.isCurrent(6))).toEqual([true, true, false, false]);
  expect(stranger.differs(() => 6)).toBe(true);
});

test("a stranger's change stays visible behind our own", () => {
  const one = new SeenGeneration();
  const two = new SeenGeneration(one);
  one.looked(5);
  two.looked(6);
  two.made(6, 7);
  expect([one.isCurrent(7), two.isCurrent(7)]).toEqual([false, true]);
});
