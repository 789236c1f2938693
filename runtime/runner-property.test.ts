// What must hold for a runner whatever comes in whatever order; the single rules are in runner.test.ts.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { createRunner, type RunOutcome } from './runner.ts';

const sleep = (clock: ManualClock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimer(ms, resolve));
const failedKeys = (...keys: string[]): RunOutcome => ({
  failed: new Map(keys.map((k) => [k, new Error(k)])),
});

describe('whatever comes, in whatever order', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('trigger' as const), reason: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  );
  const plannedRun = fc.record({
    ms: fc.integer({ min: 0, max: 250 }),
    end: fc.constantFrom('ok', 'throw', 'a fails', 'b fails'),
  });

  test('runs never overlap, keep minInterval, follow every trigger, and never wait beyond maxInterval', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.array(plannedRun, { maxLength: 30 }),
        async (steps, plans) => {
          const clock = createManualClock();
          const starts: {
            readonly at: number;
            readonly order: number;
            readonly reasons: readonly string[];
          }[] = [];
          const triggers: { readonly reason: string; readonly order: number }[] = [];
          let order = 0;
          let active = 0;
          const runner = createRunner({
            name: 'property',
            minInterval: 100,
            maxInterval: 2000,
            backoff: { min: 150, max: 600 },
            clock,
            random: () => 0.25,
            run: async (reasons) => {
              active++;
              expect(active).toBe(1);
              const plan = plans[starts.length];
              starts.push({ at: clock.now(), order: order++, reasons });
              if (plan !== undefined) await sleep(clock, plan.ms);
              active--;
              if (plan?.end === 'throw') throw new Error('planned');
              return plan === undefined || plan.end === 'ok' ? undefined : failedKeys(plan.end);
            },
          });
          runner.start();
          for (const { kind, ...rest } of steps) {
            if (kind === 'wait' && 'ms' in rest) await clock.advance(rest.ms);
            if (kind === 'trigger' && 'reason' in rest) {
              triggers.push({ reason: rest.reason, order: order++ });
              runner.trigger(rest.reason);
            }
          }
          await clock.advance(5000);

          for (const { reason, order: asked } of triggers) {
            expect(starts.some((run) => run.order > asked && run.reasons.includes(reason))).toBe(true);
          }
          for (const [i, run] of starts.entries()) {
            const gap = run.at - (starts[i - 1]?.at ?? Number.NEGATIVE_INFINITY);
            expect(gap).toBeGreaterThanOrEqual(100);
            expect(run.reasons).not.toEqual([]);
            if (i > 0) expect(gap).toBeLessThanOrEqual(2000);
          }
          // A run for an event needs an event: there are no more of them than triggers.
          const byEvent = starts.filter((run) => run.reasons.some((r) => r.length === 1));
          expect(byEvent.length).toBeLessThanOrEqual(triggers.length);
          const stopped = runner.stop();
          await clock.advance(250);
          await stopped;
          expect(clock.timers).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});
