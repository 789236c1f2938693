// The loop of one family: batches of a source become syncs of a mode, at once after quiet and coalesced in a storm; what fails is
// tried again, what others changed is put back, and now and then everything is looked at. It knows no kernel and serves nothing.
// The way of a change is short: a batch, a microtask, the sync of its keys; no timer, no walk over all ports. Past 300 lines: waiting,
// coalescing, mending and backing off are one state.
import type { Family } from '../net/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import { createRunner, type RunOutcome, wholeRun } from '../runtime/runner.ts';
import type { ServiceBatch } from '../store/service-source.ts';
import type { ModeInput, ProxyMode, SyncReport } from './proxy-mode.ts';
import type { RuleContext } from './rule-context.ts';
import type { ServicePort } from './service-port.ts';
import { createUdpSlices, isUdp } from './udp-slices.ts';

/** How often the mode is asked whether somebody else changed its rules. */
const pollInterval = 250;
/** Least milliseconds from one mending to the next: a program that insists must not cost all our time. */
const mendInterval = 1000;
/** A look at everything that took long comes more rarely than it might: at most a twentieth of the time goes into it. */
const idleShare = 20;
const backoff = { min: 500, max: 30_000 } as const;

/** The part of a tracker (service-tracker.ts) that a loop needs. */
export interface TrackedPorts {
  /** Takes a batch in. Returns the keys of ports that were added, changed or removed. */
  apply(batch: ServiceBatch): ReadonlySet<string>;
  readonly ports: ReadonlyMap<string, ServicePort>;
  /** The node is in another zone. Returns what `apply` does. */
  setZone(zone: string | undefined): ReadonlySet<string>;
}

/** One sync that went through. */
export interface SyncDone {
  readonly family: Family;
  readonly report: SyncReport;
  /** What the mode was asked to look at. */
  readonly changed: ModeInput['changed'];
  readonly milliseconds: number;
  /** performance.now() when the oldest of the changes in it was heard of; undefined when it had none, and for the first load. */
  readonly heardAt: number | undefined;
  /** Milliseconds since 1970 at which the slices in it were changed, where they say so. */
  readonly triggeredAt: readonly number[];
  /** Ports of UDP whose endpoints, serving ones included, may be others than before; `all` with the first sync. */
  readonly udp: ReadonlySet<string> | 'all';
  /** Somebody else had changed our rules. */
  readonly mended: boolean;
}

/** Called by the loop, and not waited for. */
export interface LoopListener {
  /** Something waits to be programmed. */
  queued(family: Family): void;
  synced(done: SyncDone): void;
  failed(family: Family, failure: { readonly error: unknown; readonly full: boolean }): void;
}

export interface FamilyLoopOptions {
  readonly family: Family;
  readonly tracker: TrackedPorts;
  readonly mode: ProxyMode;
  readonly context: RuleContext;
  /** Milliseconds. */
  readonly minSyncPeriod: number;
  readonly syncPeriod: number;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  readonly listener: LoopListener;
}

export interface FamilyState {
  readonly family: Family;
  readonly ports: ReadonlyMap<string, ServicePort>;
  readonly context: RuleContext;
  /** The first sync went through. */
  readonly synced: boolean;
  readonly syncs: number;
  readonly lastSync:
    | {
        /** Clock time of its end. */
        readonly at: number;
        readonly milliseconds: number;
        readonly full: boolean;
        readonly changes: number;
      }
    | undefined;
  /** Why nothing is programmed at present; undefined when the last sync went through. */
  readonly error: string | undefined;
  readonly failed: ReadonlyMap<string, Error>;
  /** How often the rules were put back after somebody else changed them. */
  readonly mended: number;
}

export interface FamilyLoop {
  start(): void;
  /** Nothing is programmed before the first. */
  take(batch: ServiceBatch): void;
  /** Everything is programmed anew if it differs. */
  setContext(context: RuleContext): void;
  /** Endpoints with hints for zones are chosen anew. */
  setZone(zone: string | undefined): void;
  /** Stops looking and programming. The rules stay. */
  stop(): Promise<void>;
  /** Resolves when no sync is in progress and none can start before the clock moves. */
  settled(): Promise<void>;
  readonly state: FamilyState;
  /** Batches that wait. */
  readonly pending: number;
}

/** What waits for a sync. A sync takes it, and gives it back when it fails. */
interface Waiting {
  keys: Set<string>;
  all: boolean;
  /** Nothing that we were told: the rules are looked at because they may have been changed by others. */
  mend: boolean;
  heardAt: number | undefined;
  triggeredAt: number[];
  udp: Set<string>;
}

const nothing = (): Waiting => ({
  keys: new Set(),
  all: false,
  mend: false,
  heardAt: undefined,
  triggeredAt: [],
  udp: new Set(),
});

/** What came changes nothing that a mode can see. */
const nothingDone: SyncReport = { full: false, changes: 0, failed: new Map() };

export function createFamilyLoop(options: FamilyLoopOptions): FamilyLoop {
  const { family, tracker, mode, clock, log, listener } = options;
  const batches: ServiceBatch[] = [];
  const udpSlices = createUdpSlices(family);
  let { context } = options;
  let waiting: Waiting = { ...nothing(), all: true };
  /** The zone that the tracker is to hear of. */
  let nextZone: { readonly zone: string | undefined } | undefined;
  let filled = false;
  let syncing = false;
  let failed: ReadonlyMap<string, Error> = new Map();
  let syncs = 0;
  let lastSync: FamilyState['lastSync'];
  let error: string | undefined;
  let mended = 0;
  let mendedAt = Number.NEGATIVE_INFINITY;
  let cancelPoll = (): void => {};
  let cancelLook = (): void => {};

  const runner = createRunner({
    name: `proxy IPv${family}`,
    run: pass,
    minInterval: options.minSyncPeriod,
    // Any sync would put it off, so the look at everything has a timer of its own.
    maxInterval: Number.POSITIVE_INFINITY,
    backoff,
    clock,
    onResult({ result }) {
      if (result.kind !== 'failure' || !result.failed.has(wholeRun)) return;
      const cause = result.failed.get(wholeRun);
      const message = errorMessage(cause);
      if (message !== error) log.error({ family, err: cause }, 'cannot program the services');
      error = message;
    },
  });

  /** The tracker changes only here: a mode that takes its time sees one state. */
  function takeIn(): boolean {
    if (batches.length === 0 && nextZone === undefined) return false;
    const note = (keys: ReadonlySet<string>): void => {
      for (const key of keys) {
        waiting.keys.add(key);
        if (isUdp(key)) waiting.udp.add(key);
      }
    };
    if (nextZone !== undefined) note(tracker.setZone(nextZone.zone));
    nextZone = undefined;
    for (const batch of batches) {
      note(tracker.apply(batch));
      for (const key of udpSlices.touched(batch)) waiting.udp.add(key);
      if (filled) waiting.heardAt = Math.min(waiting.heardAt ?? batch.heardAt, batch.heardAt);
      for (const slice of batch.slices.values()) {
        if (slice?.triggeredAt !== undefined && slice.family === family)
          waiting.triggeredAt.push(slice.triggeredAt);
      }
      filled = true;
    }
    batches.length = 0;
    return true;
  }

  async function pass(reasons: readonly string[], signal: AbortSignal): Promise<RunOutcome | undefined> {
    const isNews = takeIn();
    if (!filled) return;
    if (reasons.includes('retry')) addDue(waiting.keys);
    const taken = waiting;
    const isQuiet = !taken.all && taken.keys.size === 0;
    if (isQuiet && !isNews) return { failed };
    waiting = nothing();
    syncing = true;
    try {
      const changed: ModeInput['changed'] = taken.all ? 'all' : taken.keys;
      const startedAt = performance.now();
      const input = { ports: tracker.ports, changed, context };
      const report = isQuiet ? nothingDone : await mode.sync(input, signal);
      syncing = false;
      settle(taken, { report, changed, milliseconds: performance.now() - startedAt });
      return { failed };
    } catch (cause) {
      // What the kernel has now nobody knows: the next sync looks at everything.
      waiting = { ...taken, all: true, mend: taken.mend && !waiting.all };
      if (!signal.aborted) listener.failed(family, { error: cause, full: taken.all });
      throw cause;
    } finally {
      syncing = false;
    }
  }

  function settle(
    { keys, heardAt, triggeredAt, udp, mend }: Waiting,
    done: Pick<SyncDone, 'report' | 'changed' | 'milliseconds'>,
  ): void {
    const { report, changed, milliseconds } = done;
    const { full, changes } = report;
    if (error !== undefined) log.info({ family }, 'programming the services again');
    error = undefined;
    failed = stillFailing(changed, report.failed);
    const isFirst = syncs === 0;
    syncs++;
    const at = clock.now();
    lastSync = { at, milliseconds, full, changes };
    // With a change of services at the same time nobody can tell whose the changes are.
    const isMended = mend && keys.size === 0 && changes > 0;
    if (isMended) {
      mended++;
      log.warn({ family, changes }, 'put back what was changed');
    } else if (full && changes > 0) {
      log.info({ family, changes, ports: tracker.ports.size }, 'programmed all services');
    }
    if (mend) mendedAt = at;
    if (full) lookLater(milliseconds);
    listener.synced({
      ...done,
      family,
      heardAt: keys.size === 0 ? undefined : heardAt,
      triggeredAt,
      udp: isFirst ? 'all' : udp,
      mended: isMended,
    });
    if (batches.length > 0) listener.queued(family);
  }

  /** Keys that were not tried this time fail still. */
  function stillFailing(
    changed: ModeInput['changed'],
    now: ReadonlyMap<string, Error>,
  ): ReadonlyMap<string, Error> {
    tellFailures(now);
    if (changed === 'all' || failed.size === 0) return now;
    const kept = [...failed].filter(([key]) => !changed.has(key));
    return kept.length === 0 ? now : new Map([...kept, ...now]);
  }

  function tellFailures(now: ReadonlyMap<string, Error>): void {
    for (const [key, { message }] of now) {
      if (failed.get(key)?.message !== message) log.warn({ family, port: key }, message);
    }
  }

  function addDue(keys: Set<string>): void {
    const now = clock.now();
    for (const [key, { retryAt }] of runner.state.failing) {
      if (retryAt <= now && failed.has(key)) keys.add(key);
    }
  }

  function lookLater(milliseconds: number): void {
    cancelLook();
    cancelLook = clock.setTimer(Math.max(options.syncPeriod, idleShare * milliseconds), () => {
      lookAtAll();
      runner.trigger('look');
    });
  }

  /** Not because of what we were told. */
  function lookAtAll(): void {
    if (!waiting.all) waiting.mend = true;
    waiting.all = true;
  }

  function poll(): void {
    cancelPoll = clock.setTimer(pollInterval, () => {
      // The first sync, and one that failed, is tried as it is; one that goes on changes the rules itself.
      if (!syncing && !waiting.all && syncs > 0 && clock.now() - mendedAt >= mendInterval && isChanged()) {
        lookAtAll();
        // Not held up by the least time between syncs: until then the services may be broken.
        void runner.runNow('foreign');
      }
      poll();
    });
  }

  /** Rules that cannot be asked for are looked at: that says what is wrong. */
  function isChanged(): boolean {
    try {
      return mode.changed();
    } catch {
      return true;
    }
  }

  return {
    start() {
      runner.start();
      poll();
    },
    take(batch) {
      batches.push(batch);
      listener.queued(family);
      runner.trigger('services');
    },
    setContext(next) {
      if (JSON.stringify(next) === JSON.stringify(context)) return;
      context = next;
      waiting.all = true;
      waiting.mend = false;
      log.info({ family, addresses: next.nodeIps }, "the node's addresses changed");
      runner.trigger('context');
    },
    setZone(zone) {
      nextZone = { zone };
      runner.trigger('zone');
    },
    async stop() {
      cancelPoll();
      cancelLook();
      await runner.stop();
    },
    settled: () => runner.settled(),
    get pending() {
      return batches.length;
    },
    get state() {
      return {
        family,
        ports: tracker.ports,
        context,
        synced: syncs > 0,
        syncs,
        lastSync,
        error,
        failed,
        mended,
      };
    },
  };
}
