import { describe, expect, test } from '@jest/globals';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { createRunner, type Runner, type RunnerOptions, type RunOutcome, wholeRun } from './runner.ts';

interface Bench {
  readonly clock: ManualClock;
  readonly runner: Runner;
  /** One line a run: start time and reasons. */
  readonly log: string[];
}

/** A runner with minInterval 100, maxInterval 10,000, backoff 1,000 to 8,000 without jitter. */
function bench(
  run: (clock: ManualClock, count: number) => ReturnType<RunnerOptions['run']> = () => {},
  more: Partial<RunnerOptions> = {},
): Bench {
  const clock = createManualClock();
  const log: string[] = [];
  const runner = createRunner({
    name: 'test',
    minInterval: 100,
    maxInterval: 10_000,
    backoff: { min: 1000, max: 8000 },
    clock,
    random: () => 0,
    run: (reasons) => {
      log.push(`${clock.now()} ${reasons.join('+')}`);
      return run(clock, log.length);
    },
    ...more,
  });
  return { clock, runner, log };
}

const sleep = (clock: ManualClock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimer(ms, resolve));
const failedKeys = (...keys: string[]): RunOutcome => ({
  failed: new Map(keys.map((k) => [k, new Error(k)])),
});

describe('coalescing', () => {
  test('the first trigger after quiet runs at once, a burst in one turn is one run', async () => {
    const { runner, log } = bench();
    runner.start();
    runner.trigger('link');
    runner.trigger('route');
    runner.trigger('link');
    await runner.settled();
    expect(log).toEqual(['0 link+route']);
  });

  test('triggers within minInterval share one run at its end', async () => {
    const { clock, runner, log } = bench();
    runner.start();
    runner.trigger('a');
    await clock.advance(10);
    runner.trigger('b');
    await clock.advance(10);
    runner.trigger('c');
    await clock.advance(1000);
    runner.trigger('d');
    await clock.advance(1000);
    expect(log).toEqual(['0 a', '100 b+c', '1020 d']);
  });

  test('triggers during a run cause exactly one more, right after a long one', async () => {
    const { clock, runner, log } = bench((c, count) => (count === 1 ? sleep(c, 250) : undefined));
    runner.start();
    runner.trigger('a');
    await clock.advance(50);
    runner.trigger('b');
    await clock.advance(50);
    runner.trigger('b');
    expect(runner.state.running).toBe(true);
    await clock.advance(5000);
    expect(log).toEqual(['0 a', '250 b']);
    expect(runner.state).toMatchObject({ runs: 2, running: false });
  });

  test('triggers before start wait for it; after stop they are ignored', async () => {
    const { clock, runner, log } = bench();
    runner.trigger('early');
    await clock.advance(50);
    expect(log).toEqual([]);
    runner.start();
    await clock.advance(0);
    await runner.stop();
    runner.trigger('late');
    await clock.advance(100_000);
    expect(log).toEqual(['50 early']);
    expect(clock.timers).toBe(0);
  });

  test('a periodic run comes maxInterval after the start or the last run', async () => {
    const { clock, runner, log } = bench();
    runner.start();
    await clock.advance(14_000);
    runner.trigger('event');
    await clock.advance(20_000);
    expect(log).toEqual(['10000 periodic', '14000 event', '24000 periodic', '34000 periodic']);
  });

  test('maxInterval Infinity means no periodic run, and no timer', async () => {
    const { clock, runner, log } = bench(undefined, { maxInterval: Number.POSITIVE_INFINITY });
    runner.start();
    runner.trigger('event');
    await clock.advance(1e9);
    expect([log, clock.timers]).toEqual([['0 event'], 0]);
  });

  test('runNow does not wait for minInterval but for the current run', async () => {
    const { clock, runner, log } = bench((c, count) => (count === 2 ? sleep(c, 30) : undefined));
    runner.start();
    await runner.runNow('first');
    const second = runner.runNow('second');
    await clock.advance(10);
    const third = runner.runNow('third');
    await clock.advance(20);
    expect([(await second).reasons, (await third).startedAt]).toEqual([['second'], 30]);
    expect(log).toEqual(['0 first', '0 second', '30 third']);
  });
});

describe('failures', () => {
  test('a run that throws is retried with growing delays until it succeeds', async () => {
    const { clock, runner, log } = bench((_, count) => {
      if (count <= 5) throw new Error(`no ${count}`);
    });
    runner.start();
    runner.trigger('a');
    await clock.advance(3500);
    expect(runner.state.consecutiveFailures).toBe(3);
    expect(String(runner.state.lastError?.failed.get(wholeRun))).toBe('Error: no 3');
    expect(runner.state.failing.get(wholeRun)).toMatchObject({ failures: 3, retryAt: 7000 });
    expect(runner.state.lastSuccess).toBeUndefined();
    await clock.advance(25_000);
    expect(log).toEqual(['0 a', '1000 retry', '3000 retry', '7000 retry', '15000 retry', '23000 retry']);
    expect(runner.state).toMatchObject({ consecutiveFailures: 0, lastSuccess: 23_000 });
    expect(runner.state.failing.size).toBe(0);
  });

  test('an event runs at once but leaves the backoff of a key that still fails', async () => {
    const { clock, runner, log } = bench(() => failedKeys('10.1.2.0/24'));
    runner.start();
    runner.trigger('a');
    await clock.advance(1500); // retry at 1000 failed: the next is due at 3000
    runner.trigger('b');
    await clock.advance(500);
    runner.trigger('c');
    await clock.advance(1500);
    expect(log).toEqual(['0 a', '1000 retry', '1500 b', '2000 c', '3000 retry']);
    expect(runner.state.failing.get('10.1.2.0/24')).toMatchObject({ failures: 3, retryAt: 7000 });
    expect(runner.state.consecutiveFailures).toBe(5);
  });

  test('keys fail alone: one mended does not disturb the other', async () => {
    const { clock, runner, log } = bench((_, count) =>
      count === 1 ? failedKeys('a', 'b') : count < 4 ? failedKeys('b') : undefined,
    );
    runner.start();
    runner.trigger('start');
    await clock.advance(1000);
    expect([...runner.state.failing.keys()]).toEqual(['b']);
    await clock.advance(7000);
    expect(log).toEqual(['0 start', '1000 retry', '3000 retry', '7000 retry']);
    expect(runner.state.failing.size).toBe(0);
  });

  test('a run that throws does not make a failing key forget its place', async () => {
    const { clock, runner } = bench((_, count) => {
      if (count === 2) throw new Error('link is gone');
      return failedKeys('a');
    });
    runner.start();
    runner.trigger('start');
    await clock.advance(500);
    runner.trigger('event');
    await clock.advance(0);
    const short = () => [...runner.state.failing].map(([key, k]) => [key, k.failures, k.retryAt]);
    expect(short()).toEqual([
      ['a', 1, 1000],
      [wholeRun, 1, 1500],
    ]);
    await clock.advance(500);
    expect(short()).toEqual([['a', 2, 3000]]);
  });

  test('a retry waits for minInterval too', async () => {
    const { clock, runner, log } = bench((_, count) => (count < 3 ? failedKeys('a') : undefined), {
      backoff: { min: 1, max: 1 },
    });
    runner.start();
    runner.trigger('a');
    await clock.advance(1000);
    expect(log).toEqual(['0 a', '100 retry', '200 retry']);
  });

  test('the jitter comes from the random that was given', async () => {
    const { clock, runner, log } = bench((_, count) => (count < 2 ? failedKeys('a') : undefined), {
      random: () => 0.5,
    });
    runner.start();
    runner.trigger('a');
    await clock.advance(2000);
    expect(log).toEqual(['0 a', '750 retry']);
  });
});

describe('stop', () => {
  test('aborts the signal and resolves after the current run, whose end is no failure', async () => {
    const results: string[] = [];
    const clock = createManualClock();
    const runner = createRunner({
      name: 'test',
      minInterval: 0,
      maxInterval: 1000,
      backoff: { min: 1, max: 1 },
      clock,
      run: async (_, signal) => {
        await sleep(clock, 50);
        signal.throwIfAborted();
      },
      onResult: (report) => results.push(report.result.kind),
    });
    runner.start();
    runner.trigger('a');
    await clock.advance(10);
    const stopped = runner.stop().then(() => results.push('stopped at', String(clock.now())));
    const settled = runner.settled();
    await clock.advance(40);
    await Promise.all([stopped, settled]);
    expect(results).toEqual(['stopped', 'stopped at', '50']);
    expect(runner.state).toMatchObject({ consecutiveFailures: 0, lastError: undefined });
  });

  test('a run that was about to start does not, and who waits for it is told', async () => {
    const { runner, log } = bench();
    runner.start();
    const now = runner.runNow();
    await runner.stop();
    expect((await now).result.kind).toBe('stopped');
    await runner.settled();
    expect(log).toEqual([]);
    await expect(runner.runNow()).rejects.toThrow('Cannot run "test" now: the runner is not started');
  });

  test('a runner starts once', async () => {
    const { runner } = bench();
    runner.start();
    expect(() => runner.start()).toThrow('Cannot start runner "test" a second time');
    await runner.stop();
    expect(() => runner.start()).toThrow('Cannot start runner "test" a second time');
  });
});

test('intervals that contradict each other are refused', () => {
  expect(() => bench(undefined, { minInterval: 20, maxInterval: 10 })).toThrow(RangeError);
});

test('the report tells reasons, times and what failed', async () => {
  const reports: unknown[] = [];
  const slowly = async (clock: ManualClock, count: number): Promise<RunOutcome | undefined> => {
    await sleep(clock, 7);
    return count === 1 ? failedKeys('x') : undefined;
  };
  const { clock, runner } = bench(slowly, {
    onResult: ({ name, reasons, startedAt, milliseconds, result }) =>
      reports.push([name, reasons, startedAt, milliseconds, result.kind]),
  });
  runner.start();
  runner.trigger('a');
  await clock.advance(2000);
  expect(reports).toEqual([
    ['test', ['a'], 0, 7, 'failure'],
    ['test', ['retry'], 1007, 7, 'success'],
  ]);
});
