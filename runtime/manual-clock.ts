// A clock that stands still until a test moves it. For tests alone; it passes for the real one (see clock.ts).
import type { Clock } from './clock.ts';

export interface ManualClock extends Clock {
  /**
   * Moves time on, fires what falls due in the order of its due time, and lets the promises that each timer wakes
   * run to their next wait before it goes on. Ends `milliseconds` later.
   */
  advance(milliseconds: number): Promise<void>;
  /** How many timers wait. */
  readonly timers: number;
}

interface Timer {
  readonly due: number;
  readonly fire: () => void;
}

// An immediate comes after every microtask that is ready, and after those that they make ready.
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createManualClock(start = 0): ManualClock {
  let now = start;
  const waiting = new Set<Timer>();

  function next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of waiting) {
      if (timer.due <= until && (first === undefined || timer.due < first.due)) first = timer;
    }
    return first;
  }

  return {
    now: () => now,
    setTimer(milliseconds, fire) {
      const timer = { due: now + Math.max(0, milliseconds), fire };
      waiting.add(timer);
      return () => void waiting.delete(timer);
    },
    async advance(milliseconds) {
      const until = now + milliseconds;
      await settle();
      for (let timer = next(until); timer !== undefined; timer = next(until)) {
        waiting.delete(timer);
        now = Math.max(now, timer.due);
        timer.fire();
        await settle();
      }
      now = until;
    },
    get timers() {
      return waiting.size;
    },
  };
}
