// Which keys of a runner fail, how often in a row, and when each is to be tried again. It runs nothing and sets no timer.
import { type Backoff, backoffDelay } from './backoff.ts';

export interface FailingKey {
  /** Failures in a row, not counting runs that an event started before the retry was due. */
  readonly failures: number;
  /** Clock time in milliseconds. */
  readonly retryAt: number;
  readonly error: unknown;
}

export interface FailingKeys {
  /**
   * Takes in the outcome of a run. A key that failed again before its retry was due keeps its place in the backoff;
   * one that is not in `failed` is forgotten, unless `keepOthers`.
   */
  record(
    failed: ReadonlyMap<string, unknown>,
    run: { readonly startedAt: number; readonly endedAt: number; readonly keepOthers?: boolean },
  ): void;
  /** When the first retry is due; Infinity if nothing fails. */
  nextRetry(): number;
  snapshot(): ReadonlyMap<string, FailingKey>;
}

export function createFailingKeys(backoff: Backoff & { readonly random: () => number }): FailingKeys {
  const keys = new Map<string, FailingKey>();

  function recordOne(key: string, { error, startedAt, endedAt }: RecordOne): void {
    const before = keys.get(key);
    if (before !== undefined && before.retryAt > startedAt) {
      keys.set(key, { ...before, error });
      return;
    }
    const failures = (before?.failures ?? 0) + 1;
    keys.set(key, { failures, error, retryAt: endedAt + backoffDelay(failures, backoff) });
  }

  return {
    record(failed, { startedAt, endedAt, keepOthers = false }) {
      for (const [key, { error }] of [...keys]) {
        if (failed.has(key)) continue;
        if (keepOthers) recordOne(key, { error, startedAt, endedAt });
        else keys.delete(key);
      }
      for (const [key, error] of failed) recordOne(key, { error, startedAt, endedAt });
    },
    nextRetry() {
      let first = Number.POSITIVE_INFINITY;
      for (const { retryAt } of keys.values()) first = Math.min(first, retryAt);
      return first;
    },
    snapshot: () => new Map(keys),
  };
}

interface RecordOne {
  readonly error: unknown;
  readonly startedAt: number;
  readonly endedAt: number;
}
