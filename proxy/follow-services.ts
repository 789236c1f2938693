// Reads a source of services for as long as the proxy runs. A source that breaks is read again from its beginning, and what went
// away meanwhile is told as gone. What batches are for it does not know.
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import type { ServiceBatch, ServiceSource } from '../store/service-source.ts';

const retryDelay = 1000;

export interface FollowServicesOptions {
  readonly source: Pick<ServiceSource, 'watch'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly signal: AbortSignal;
  readonly onBatch: (batch: ServiceBatch) => void;
}

export interface Following {
  /** What the source says is wrong, and why it cannot be read if it cannot. */
  readonly problems: readonly StoreProblem[];
  /** Resolves when the signal has aborted and the source is let go. */
  readonly ended: Promise<void>;
}

export function followServices(options: FollowServicesOptions): Following {
  const { source, clock, log, signal, onBatch } = options;
  const known = { services: new Set<string>(), slices: new Set<string>() };
  let problems: readonly StoreProblem[] = [];
  let broken: string | undefined;

  async function readOnce(isFirst: boolean): Promise<void> {
    let isBeginning = !isFirst;
    for await (const batch of source.watch(signal)) {
      broken = undefined;
      if (batch.problems !== problems) {
        tellProblems(log, problems, batch.problems);
        problems = batch.problems;
      }
      onBatch(isBeginning ? withGone(batch, known) : batch);
      isBeginning = false;
      // Afterwards: a change is not to wait for our bookkeeping.
      note(known.services, batch.services);
      note(known.slices, batch.slices);
    }
  }

  async function read(): Promise<void> {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      try {
        await readOnce(isFirst);
      } catch (error) {
        if (signal.aborted) return;
        broken = errorMessage(error);
        log.error({ err: error }, 'cannot follow the services');
      }
      if (!signal.aborted) await pause(clock, signal);
    }
  }

  const ended = read();
  return {
    get problems() {
      return broken === undefined ? problems : [...problems, { object: 'services', message: broken }];
    },
    ended,
  };
}

/** A batch that begins a watch anew names everything there is, but not what is gone. */
function withGone(
  batch: ServiceBatch,
  known: { readonly services: ReadonlySet<string>; readonly slices: ReadonlySet<string> },
): ServiceBatch {
  return {
    ...batch,
    services: withMissing(batch.services, known.services),
    slices: withMissing(batch.slices, known.slices),
  };
}

function withMissing<T>(
  named: ReadonlyMap<string, T | undefined>,
  known: ReadonlySet<string>,
): ReadonlyMap<string, T | undefined> {
  const all = new Map(named);
  for (const key of known) if (!all.has(key)) all.set(key, undefined);
  return all;
}

function note(known: Set<string>, named: ReadonlyMap<string, unknown>): void {
  for (const [key, object] of named) {
    if (object === undefined) known.delete(key);
    else known.add(key);
  }
}

function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.setTimer(retryDelay, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}

/** Says what is newly wrong and what is not any more. */
function tellProblems(
  log: Pick<Logger, 'info' | 'warn'>,
  before: readonly StoreProblem[],
  now: readonly StoreProblem[],
): void {
  const text = ({ object, message }: StoreProblem): string => `${object}\n${message}`;
  const old = new Set(before.map(text));
  for (const problem of now)
    if (!old.has(text(problem))) log.warn({ object: problem.object }, problem.message);
  const wrong = new Set(now.map(({ object }) => object));
  for (const object of new Set(before.map((problem) => problem.object))) {
    if (!wrong.has(object)) log.info({ object }, 'no problem any more');
  }
}
