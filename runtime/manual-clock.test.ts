import { describe, expect, test } from '@jest/globals';
import { createManualClock } from './manual-clock.ts';

describe('createManualClock', () => {
  test('stands still until it is moved', async () => {
    const clock = createManualClock(1000);
    const fired: number[] = [];
    clock.setTimer(0, () => fired.push(clock.now()));
    expect([clock.now(), fired]).toEqual([1000, []]);
    await clock.advance(0);
    expect([clock.now(), fired]).toEqual([1000, [1000]]);
  });

  test('fires by due time, equal ones in the order they were set, each at its own moment', async () => {
    const clock = createManualClock();
    const fired: string[] = [];
    clock.setTimer(30, () => fired.push(`c ${clock.now()}`));
    clock.setTimer(10, () => fired.push(`a ${clock.now()}`));
    clock.setTimer(10, () => fired.push(`b ${clock.now()}`));
    await clock.advance(29);
    expect(fired).toEqual(['a 10', 'b 10']);
    await clock.advance(1);
    expect(fired).toEqual(['a 10', 'b 10', 'c 30']);
  });

  test('fires timers that a woken promise sets within the time that passes', async () => {
    const clock = createManualClock();
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(ms, resolve));
    const at: number[] = [];
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await wait(10);
        at.push(clock.now());
      }
    })();
    await clock.advance(100);
    await loop;
    expect([at, clock.now(), clock.timers]).toEqual([[10, 20, 30], 100, 0]);
  });

  test('a cancelled timer does not fire', async () => {
    const clock = createManualClock();
    let fired = 0;
    clock.setTimer(5, () => fired++)();
    await clock.advance(10);
    expect([fired, clock.timers]).toEqual([0, 0]);
  });
});
