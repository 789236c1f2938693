// Time as a value that is handed in: what a loop needs to wait, and the real one. Not a scheduler (see runner.ts).

/** Milliseconds since the epoch that never run backwards, and timers that fire once. */
export interface Clock {
  now(): number;
  /** Calls `fire` once, after at least `milliseconds`. Returns what cancels it; cancelling twice is harmless. */
  setTimer(milliseconds: number, fire: () => void): () => void;
}

// setTimeout keeps 31 bits and fires at once for anything longer.
const longestTimeout = 2 ** 31 - 1;

/** The machine's monotonic clock: a step of the wall clock neither stops nor hurries a loop. */
export const realClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimer(milliseconds, fire) {
    let timer: NodeJS.Timeout;
    const arm = (rest: number): void => {
      timer =
        rest > longestTimeout
          ? setTimeout(() => arm(rest - longestTimeout), longestTimeout)
          : setTimeout(fire, Math.ceil(Math.max(0, rest)));
    };
    if (milliseconds !== Number.POSITIVE_INFINITY) arm(milliseconds);
    return () => clearTimeout(timer);
  },
};
