import { describe, expect, test } from '@jest/globals';
import { realClock } from './clock.ts';

describe('realClock', () => {
  test('never runs backwards and agrees with the calendar', () => {
    const first = realClock.now();
    expect(realClock.now()).toBeGreaterThanOrEqual(first);
    expect(Math.abs(first - Date.now())).toBeLessThan(3_600_000);
  });

  test('fires once, in the order of the delays', async () => {
    const fired: string[] = [];
    await new Promise<void>((resolve) => {
      realClock.setTimer(20, () => {
        fired.push('later');
        resolve();
      });
      realClock.setTimer(1, () => fired.push('soon'));
    });
    expect(fired).toEqual(['soon', 'later']);
  });

  test('a cancelled timer does not fire, nor one beyond the 31 bits of setTimeout', async () => {
    const fired: string[] = [];
    const cancel = realClock.setTimer(1, () => fired.push('cancelled'));
    cancel();
    cancel();
    const cancelFar = realClock.setTimer(2 ** 31, () => fired.push('far'));
    const cancelNever = realClock.setTimer(Number.POSITIVE_INFINITY, () => fired.push('never'));
    await new Promise<void>((resolve) => void realClock.setTimer(10, resolve));
    expect(fired).toEqual([]);
    cancelFar();
    cancelNever();
  });
});
