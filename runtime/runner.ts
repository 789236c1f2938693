// Turns a stream of events into runs of one function: coalesced, never two at once, repeated when they fail and once
// in a while without any event. It does not know what a run does.
import type { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { createFailingKeys, type FailingKey } from './failing-keys.ts';

/** What a run returns when part of it failed: the keys that did, with their errors. Nothing, or no key, is success. */
export interface RunOutcome {
  readonly failed?: ReadonlyMap<string, unknown>;
}

/** The key under which a run that threw is counted. */
export const wholeRun = 'the whole run';

export interface RunReport {
  readonly name: string;
  /** What was passed to `trigger`, each once and in order, then `retry` and `periodic` if those were due. */
  readonly reasons: readonly string[];
  readonly startedAt: number;
  readonly milliseconds: number;
  readonly result:
    | { readonly kind: 'success' }
    | { readonly kind: 'failure'; readonly failed: ReadonlyMap<string, unknown> }
    | { readonly kind: 'stopped' };
}

export interface RunnerOptions {
  readonly name: string;
  /** One pass. It should end early when `signal` is aborted, which `stop()` does. */
  readonly run: (
    reasons: readonly string[],
    signal: AbortSignal,
  ) => RunOutcome | void | Promise<RunOutcome | undefined> | Promise<void>;
  /** Least milliseconds from the start of a run to the start of the next. */
  readonly minInterval: number;
  /** Most milliseconds from the start of a run to the start of the next; Infinity for no periodic run. */
  readonly maxInterval: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of retries. Math.random unless given. */
  readonly random?: () => number;
  /** Called after each run, before the next may start. */
  readonly onResult?: (report: RunReport) => void;
}

export interface RunnerState {
  readonly runs: number;
  readonly running: boolean;
  readonly consecutiveFailures: number;
  /** Clock time of the end of the last run without a failure. */
  readonly lastSuccess: number | undefined;
  /** The errors of the last run that failed, and the clock time of its end. */
  readonly lastError: { readonly at: number; readonly failed: ReadonlyMap<string, unknown> } | undefined;
  readonly failing: ReadonlyMap<string, FailingKey>;
}

export interface Runner {
  /** Asks for a run. Before `start` it is remembered; after `stop` it is ignored. */
  trigger(reason: string): void;
  /** Begins to run what is asked for. It asks for nothing itself: trigger first if the first run must not wait. */
  start(): void;
  /** Aborts the signal and resolves when the current run has ended. No run starts afterwards. */
  stop(): Promise<void>;
  /** Runs once, after the current run but without regard to minInterval, and resolves with what came of it. */
  runNow(reason?: string): Promise<RunReport>;
  /** Resolves when no run is in progress and none can start before the clock moves. */
  settled(): Promise<void>;
  readonly state: RunnerState;
}

/**
 * The first trigger after quiet runs at once (in a microtask, so that a burst in one turn is one run); others within
 * minInterval share one run at its end. A trigger during a run causes one more after it. Each failing key has its own
 * backoff; a run that comes before a key's retry is due may mend the key but does not lengthen or shorten its wait.
 */
export function createRunner(options: RunnerOptions): Runner {
  const { name, run, minInterval, maxInterval, backoff, clock, onResult } = options;
  if (!(minInterval >= 0 && maxInterval > 0 && maxInterval >= minInterval)) {
    throw new RangeError(
      `Cannot make runner "${name}": minInterval ${minInterval} must be at most maxInterval ${maxInterval}`,
    );
  }
  const abort = new AbortController();
  const pending = new Set<string>();
  const failing = createFailingKeys({ ...backoff, random: options.random ?? Math.random });
  let impatient: ((report: RunReport) => void)[] = [];
  let idleWaiters: (() => void)[] = [];
  let phase: 'new' | 'idle' | 'starting' | 'running' | 'stopped' = 'new';
  let current: Promise<void> | undefined;
  let cancelTimer = (): void => {};
  let quietSince = clock.now();
  let lastStart: number | undefined;
  let runs = 0;
  let consecutiveFailures = 0;
  let lastSuccess: number | undefined;
  let lastError: RunnerState['lastError'];

  const periodicAt = (): number => (lastStart ?? quietSince) + maxInterval;

  function dueAt(): number {
    if (impatient.length > 0) return Number.NEGATIVE_INFINITY;
    const due = pending.size > 0 ? Number.NEGATIVE_INFINITY : Math.min(periodicAt(), failing.nextRetry());
    return lastStart === undefined ? due : Math.max(due, lastStart + minInterval);
  }

  /** Decides, when no run is in progress, between running, waiting and telling those who wait for quiet. */
  function plan(): void {
    if (phase !== 'idle') return;
    cancelTimer();
    const wait = dueAt() - clock.now();
    if (wait <= 0) {
      phase = 'starting';
      queueMicrotask(begin);
      return;
    }
    // A timer may fire a little early, so it asks again instead of running.
    if (wait !== Number.POSITIVE_INFINITY) cancelTimer = clock.setTimer(wait, plan);
    tellIdle();
  }

  function tellIdle(): void {
    const told = idleWaiters;
    idleWaiters = [];
    for (const tell of told) tell();
  }

  function begin(): void {
    if (phase !== 'starting') return;
    phase = 'running';
    current = pass();
  }

  function takeReasons(now: number): readonly string[] {
    const reasons = [...pending];
    pending.clear();
    if (failing.nextRetry() <= now) reasons.push('retry');
    if (now >= periodicAt()) reasons.push('periodic');
    return reasons;
  }

  /** One run and the bookkeeping after it. Never rejects. */
  async function pass(): Promise<void> {
    const startedAt = clock.now();
    const reasons = takeReasons(startedAt);
    const waiters = impatient;
    impatient = [];
    lastStart = startedAt;
    let result: RunReport['result'];
    try {
      const outcome = await run(reasons, abort.signal);
      const failed = outcome?.failed ?? new Map<string, unknown>();
      result = failed.size === 0 ? { kind: 'success' } : { kind: 'failure', failed };
    } catch (error) {
      result = abort.signal.aborted
        ? { kind: 'stopped' }
        : { kind: 'failure', failed: new Map([[wholeRun, error]]) };
    }
    const endedAt = clock.now();
    record(result, { startedAt, endedAt });
    const report: RunReport = { name, reasons, startedAt, milliseconds: endedAt - startedAt, result };
    tellResult(report);
    for (const tell of waiters) tell(report);
    current = undefined;
    if (abort.signal.aborted) {
      phase = 'stopped';
      tellIdle();
    } else {
      phase = 'idle';
      plan();
    }
  }

  function record(
    result: RunReport['result'],
    { startedAt, endedAt }: { startedAt: number; endedAt: number },
  ): void {
    runs++;
    switch (result.kind) {
      case 'success':
        consecutiveFailures = 0;
        lastSuccess = endedAt;
        failing.record(new Map(), { startedAt, endedAt });
        return;
      case 'failure':
        consecutiveFailures++;
        lastError = { at: endedAt, failed: result.failed };
        // A run that threw tells nothing about the keys that failed before: they are taken to fail still.
        failing.record(result.failed, { startedAt, endedAt, keepOthers: result.failed.has(wholeRun) });
        return;
      case 'stopped':
        return;
      default:
        result satisfies never;
    }
  }

  function tellResult(report: RunReport): void {
    try {
      onResult?.(report);
    } catch (error) {
      // The listener's defect must be loud, but must not stop the runner half way through its bookkeeping.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  return {
    trigger(reason) {
      if (abort.signal.aborted) return;
      pending.add(reason);
      plan();
    },
    start() {
      if (phase !== 'new') throw new Error(`Cannot start runner "${name}" a second time`);
      phase = 'idle';
      quietSince = clock.now();
      plan();
    },
    async stop() {
      abort.abort(new Error(`Runner "${name}" stops`));
      cancelTimer();
      pending.clear();
      if (phase !== 'running') phase = 'stopped';
      await current;
      const dropped = impatient;
      impatient = [];
      const now = clock.now();
      for (const tell of dropped) {
        tell({ name, reasons: [], startedAt: now, milliseconds: 0, result: { kind: 'stopped' } });
      }
      tellIdle();
    },
    runNow(reason = 'now') {
      if (phase === 'new' || abort.signal.aborted) {
        return Promise.reject(new Error(`Cannot run "${name}" now: the runner is not started`));
      }
      pending.add(reason);
      return new Promise((resolve) => {
        impatient.push(resolve);
        plan();
      });
    },
    settled() {
      if (phase !== 'starting' && phase !== 'running') return Promise.resolve();
      return new Promise((resolve) => void idleWaiters.push(resolve));
    },
    get state() {
      return {
        runs,
        running: phase === 'running',
        consecutiveFailures,
        lastSuccess,
        lastError,
        failing: failing.snapshot(),
      };
    },
  };
}
