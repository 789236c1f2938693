import { describe, expect, test } from '@jest/globals';
import { createFailingKeys, type FailingKeys } from './failing-keys.ts';

const make = (): FailingKeys => createFailingKeys({ min: 100, max: 1000, random: () => 0 });
const failed = (...keys: string[]): ReadonlyMap<string, unknown> =>
  new Map(keys.map((key) => [key, `${key} broke`]));
const show = (keys: FailingKeys): string =>
  [...keys.snapshot()].map(([key, k]) => `${key} x${k.failures} @${k.retryAt}`).join(', ');

describe('createFailingKeys', () => {
  test('each key has its own backoff', () => {
    const keys = make();
    keys.record(failed('a'), { startedAt: 0, endedAt: 10 });
    expect(show(keys)).toBe('a x1 @110');
    keys.record(failed('a', 'b'), { startedAt: 110, endedAt: 120 });
    expect(show(keys)).toBe('a x2 @320, b x1 @220');
    expect(keys.nextRetry()).toBe(220);
  });

  test('a run before the retry is due neither lengthens nor shortens the wait', () => {
    const keys = make();
    keys.record(failed('a'), { startedAt: 0, endedAt: 0 });
    for (const at of [10, 50, 99]) keys.record(failed('a'), { startedAt: at, endedAt: at });
    expect(show(keys)).toBe('a x1 @100');
  });

  test('a key that no longer fails is forgotten and starts anew', () => {
    const keys = make();
    keys.record(failed('a', 'b'), { startedAt: 0, endedAt: 0 });
    keys.record(failed('b'), { startedAt: 50, endedAt: 50 });
    expect(show(keys)).toBe('b x1 @100');
    keys.record(failed(), { startedAt: 100, endedAt: 100 });
    expect([show(keys), keys.nextRetry()]).toEqual(['', Number.POSITIVE_INFINITY]);
    keys.record(failed('b'), { startedAt: 200, endedAt: 200 });
    expect(show(keys)).toBe('b x1 @300');
  });

  test('keepOthers counts the others as failing still, with their old error', () => {
    const keys = make();
    keys.record(failed('a'), { startedAt: 0, endedAt: 0 });
    keys.record(failed('run'), { startedAt: 100, endedAt: 100, keepOthers: true });
    expect(show(keys)).toBe('a x2 @300, run x1 @200');
    expect(keys.snapshot().get('a')?.error).toBe('a broke');
  });
});
