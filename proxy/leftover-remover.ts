// Takes away what other proxies and other modes left, once, when the own rules are in place. What is looked for is leftovers/'s.
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import type { Leftovers } from './leftovers/remove-leftovers.ts';

/** Milliseconds until what failed is tried again: it starts programs. */
const retryInterval = 60_000;

export interface LeftoverRemover {
  /** The first time; after a failure it comes again by itself. Otherwise it does nothing. */
  removeOnce(): void;
  /** What could not be removed the last time, and why. */
  readonly problem: string | undefined;
  /** Ends it, and waits for that. */
  stop(): Promise<void>;
}

export interface LeftoverRemoverOptions {
  readonly remove: (signal: AbortSignal) => Promise<Leftovers>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly onFailure: () => void;
}

export function createLeftoverRemover(options: LeftoverRemoverOptions): LeftoverRemover {
  const { remove, clock, log, onFailure } = options;
  const abort = new AbortController();
  let state: 'new' | 'busy' | 'done' = 'new';
  let problem: string | undefined;
  let notBefore = Number.NEGATIVE_INFINITY;
  let work: Promise<void> = Promise.resolve();
  let cancelTimer = (): void => {};

  async function removeNow(): Promise<void> {
    try {
      const { removed, left } = await remove(abort.signal);
      if (removed.length > 0) log.info({ removed }, 'removed what other proxies left');
      if (left.length > 0) {
        tryLater(left.join('; '));
        return;
      }
      state = 'done';
      problem = undefined;
    } catch (error) {
      if (!abort.signal.aborted) tryLater(errorMessage(error));
    }
  }

  function tryLater(message: string): void {
    state = 'new';
    notBefore = clock.now() + retryInterval;
    if (message !== problem) log.warn({ left: message }, 'cannot remove what other proxies left');
    problem = message;
    cancelTimer();
    // Also where no service changes meanwhile.
    cancelTimer = clock.setTimer(retryInterval, removeOnce);
    onFailure();
  }

  function removeOnce(): void {
    if (state !== 'new' || abort.signal.aborted || clock.now() < notBefore) return;
    state = 'busy';
    work = removeNow();
  }

  return {
    removeOnce,
    get problem() {
      return problem;
    },
    async stop() {
      cancelTimer();
      abort.abort(new Error('The proxy stops'));
      await work;
    },
  };
}
