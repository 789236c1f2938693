// The end of a daemon: what was opened is closed in reverse order, each within its time, once. It decides nothing about
// what closing means; the data path is no business of it.
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

export type ShutdownSignal = 'SIGTERM' | 'SIGINT';

/** The part of `process` that is needed. */
export interface SignalSource {
  on(signal: ShutdownSignal, listener: () => void): unknown;
  exit(code: number): void;
}

export interface ShutdownOptions {
  /** `process`, or a test's own. */
  readonly process: SignalSource;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly clock: Clock;
  /** Milliseconds that a closer has unless it says otherwise; 5,000 unless given. */
  readonly timeLimit?: number;
}

/** Closes one thing. Its signal is aborted when its time is over, and it is then no longer waited for. */
export type Closer = (signal: AbortSignal) => void | Promise<void>;

export interface Shutdown {
  /** Aborted when the shutdown begins; for every loop of the program. */
  readonly signal: AbortSignal;
  /** Adds what is closed before everything that was added earlier. Returns what takes it off again. */
  add(name: string, close: Closer, options?: { readonly timeLimit?: number }): () => void;
  /** Begins the shutdown, or joins the one that runs. Resolves with the exit code: 0, or 1 if a closer failed. */
  begin(reason: string): Promise<number>;
}

interface Entry {
  readonly name: string;
  readonly close: Closer;
  readonly timeLimit: number;
}

/**
 * SIGTERM or SIGINT closes everything, or joins a shutdown that the program began itself, then exits with its code; a
 * second signal exits with 1 at once.
 */
export function createShutdown(options: ShutdownOptions): Shutdown {
  const { process, log, clock, timeLimit: usualLimit = 5000 } = options;
  const abort = new AbortController();
  const entries: Entry[] = [];
  let result: Promise<number> | undefined;

  async function closeAll(): Promise<number> {
    let code = 0;
    // Taken one by one, so that what a closer adds or takes off is heeded.
    for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
      if (!(await closeOne(entry))) code = 1;
    }
    return code;
  }

  async function closeOne({ name, close, timeLimit }: Entry): Promise<boolean> {
    const startedAt = clock.now();
    const closing = new AbortController();
    let cancelTimer = (): void => {};
    const outOfTime = new Promise<never>((_, reject) => {
      cancelTimer = clock.setTimer(timeLimit, () => {
        const error = new Error(`Cannot close "${name}": it is not done after ${timeLimit} ms`);
        closing.abort(error);
        reject(error);
      });
    });
    try {
      await Promise.race([(async () => close(closing.signal))(), outOfTime]);
      log.info({ closer: name, milliseconds: Math.round(clock.now() - startedAt) }, 'closed');
      return true;
    } catch (err) {
      log.error({ closer: name, err }, 'not closed');
      return false;
    } finally {
      cancelTimer();
    }
  }

  function begin(reason: string): Promise<number> {
    if (result === undefined) {
      log.info({ reason, closers: entries.map(({ name }) => name).reverse() }, 'shutting down');
      abort.abort(new Error(`Shutting down: ${reason}`));
      result = closeAll();
    }
    return result;
  }

  let asked = false;
  function onSignal(name: ShutdownSignal): void {
    if (asked) {
      log.warn({ reason: name }, 'asked again: exiting without closing the rest');
      process.exit(1);
      return;
    }
    asked = true;
    void begin(name).then((code) => process.exit(code));
  }
  process.on('SIGTERM', () => onSignal('SIGTERM'));
  process.on('SIGINT', () => onSignal('SIGINT'));

  return {
    signal: abort.signal,
    add(name, close, { timeLimit = usualLimit } = {}) {
      const entry = { name, close, timeLimit };
      entries.push(entry);
      return () => {
        const at = entries.indexOf(entry);
        if (at >= 0) entries.splice(at, 1);
      };
    },
    begin,
  };
}
