// Follows a lease directory: a scan whenever chokidar reports anything, when the next lease expires, and every so often: much more
// often, and without chokidar, where other machines write (following.ts). Readers get the newest state, never a backlog.

import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { Pulse } from '../../runtime/pulse.ts';
import type { LeaseSnapshot } from '../lease-store.ts';
import { errnoOf } from './errno.ts';
import type { Follow } from './following.ts';
import { pathOfRawEvent } from './raw-event.ts';

/** From the first event to the read: one rename makes several. */
const gatherMs = 1;

/** Shortest time from the end of a read to the next one: a burst of events costs one read each time, not one an event. */
const restMs = 20;

/** Longest delay that setTimeout takes. */
const longestDelayMs = 2 ** 31 - 1;

export type DirectoryWatchOptions = {
  readonly directory: string;
  /** Longest time between two scans. */
  readonly rescanMs: number;
  readonly follow: Follow;
  /** Reads the state; only the lease files of these names have changed, if they are given. `version` changes when a reader would see a difference; `nextChangeMs`: from now, when a lease expires. */
  readonly read: (names: ReadonlySet<string> | undefined) => Promise<{
    readonly snapshot: LeaseSnapshot;
    readonly version: number;
    readonly nextChangeMs: number;
  }>;
};

/** Where the directory is, if it is a symbolic link; it may also not be there yet. */
function followLink(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}

export class DirectoryWatch {
  readonly #options: DirectoryWatchOptions;
  #started = false;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #again = false;
  /** Names of lease files reported since the last read; undefined: any may have changed. */
  #names: Set<string> | undefined;
  #readAllAt = Number.NEGATIVE_INFINITY;
  #readAt = Number.NEGATIVE_INFINITY;
  #watchedAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  /** `state` is equal exactly when a reader would see no difference. */
  #current: { readonly snapshot: LeaseSnapshot; readonly state: string } | undefined;
  #failure: string | undefined;
  readonly #changed = new Pulse();

  constructor(options: DirectoryWatchOptions) {
    this.#options = options;
  }

  /** Yields the current state and then each new one, until the signal aborts or the watch is closed. */
  async *snapshots(signal: AbortSignal): AsyncGenerator<LeaseSnapshot, void, undefined> {
    this.#start();
    const wake = () => this.#changed.beat();
    signal.addEventListener('abort', wake, { once: true });
    let seen: string | undefined;
    try {
      while (!this.#closed && !signal.aborted) {
        const changed = this.#changed.next;
        if (this.#current !== undefined && this.#current.state !== seen) {
          seen = this.#current.state;
          yield this.#current.snapshot;
        } else {
          await changed;
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  /** Looks again soon: after a change of our own that chokidar need not report first. */
  poke(): void {
    if (this.#started) this.#scheduleSoon();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#changed.beat();
    await this.#watcher?.close();
    await this.#reading;
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#schedule(0);
  }

  /** After the first read, so that this does not wait for chokidar to look at every file too. */
  #watch(): void {
    const directory = followLink(this.#options.directory);
    const subnets = join(directory, 'subnets');
    const config = join(directory, 'config');
    const named = new Set([directory, config, subnets]);
    const isOurs = (path: string) =>
      named.has(path) || (dirname(path) === subnets && !basename(path).startsWith('.'));
    // No `depth`: for a directory that appears later chokidar 6 counts it from the directory above.
    const watcher = watch(directory, {
      ignoreInitial: true,
      atomic: false,
      followSymlinks: false,
      // The directories above are needed to see ours appear. What others link to is not followed.
      ignored: (path) => !isOurs(path) && !directory.startsWith(`${path}/`),
    });
    const notice = (path: string) => {
      if (!isOurs(path)) return;
      // One event among thousands of leases must not cost a look at each.
      if (dirname(path) === subnets) this.#names?.add(basename(path));
      else if (path !== config) this.#names = undefined;
      this.#scheduleSoon();
    };
    watcher.on('all', (_, path) => notice(path));
    watcher.on('raw', (_, name, details) => notice(pathOfRawEvent(name, { details, directory })));
    let failure: string | undefined;
    watcher.on('error', (error) => {
      // What is not there yet, or not any more, is a state and not a failure.
      if (errnoOf(error) !== 'ENOENT') failure = errnoOf(error) ?? String(error);
      this.#failure = failure ?? this.#failure;
      this.#names = undefined;
      this.#scheduleSoon();
    });
    watcher.on('ready', () => {
      this.#failure = failure;
      // What changed between the first scan and this event was reported to nobody.
      this.#readAll(0);
    });
    this.#watcher = watcher;
    this.#watchedAt = performance.now();
  }

  /** chokidar does not come back to what it could not watch, so that a new one has to. */
  async #watchAgain(): Promise<void> {
    if (this.#failure === undefined) return;
    if (performance.now() + 1 - this.#watchedAt < this.#options.rescanMs) return;
    await this.#watcher?.close();
    if (!this.#closed) this.#watch();
  }

  async #unwatch(): Promise<void> {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    this.#failure = undefined;
    await watcher?.close();
  }

  #scheduleSoon(): void {
    this.#schedule(Math.max(gatherMs, this.#readAt + restMs - performance.now()));
  }

  #readAll(delayMs: number): void {
    this.#names = undefined;
    this.#schedule(delayMs);
  }

  /** One timer for all reasons: the earliest counts. */
  #schedule(delayMs: number): void {
    const due = performance.now() + Math.min(delayMs, longestDelayMs);
    if (this.#closed || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(
      () => {
        this.#due = Number.POSITIVE_INFINITY;
        // Timers count whole milliseconds and may be early by one.
        const isDue = performance.now() + 1 - this.#readAllAt >= this.#options.rescanMs;
        if (isDue || this.#options.follow.isPolling) this.#names = undefined;
        if (this.#reading !== undefined) this.#again = true;
        else this.#reading = this.#read();
      },
      Math.max(0, delayMs),
    );
  }

  async #read(): Promise<void> {
    const { rescanMs, follow } = this.#options;
    let next = Number.POSITIVE_INFINITY;
    const names = this.#names;
    this.#names = new Set();
    const startedAt = performance.now();
    if (names === undefined) {
      this.#readAllAt = startedAt;
      follow.update();
    }
    try {
      if (follow.isPolling) await this.#unwatch();
      else await this.#watchAgain();
      const { snapshot, version, nextChangeMs } = await this.#options.read(names);
      next = Math.max(nextChangeMs, 1);
      this.#publish(snapshot, String(version));
    } catch (error) {
      // The last state stays: a store that cannot be read is no reason to forget the peers.
      this.#names = undefined;
      const last = this.#current?.snapshot ?? { config: undefined, leases: new Map(), problems: [] };
      const message = error instanceof Error ? error.message : String(error);
      this.#publish({ ...last, problems: [{ object: this.#options.directory, message }] }, message);
    }
    this.#readAt = performance.now();
    this.#reading = undefined;
    const longest = follow.isPolling ? follow.pauseAfter(this.#readAt - startedAt) : rescanMs;
    next = Math.min(next, longest);
    if (!follow.isPolling && this.#watcher === undefined && !this.#closed) this.#watch();
    if (this.#again) next = restMs;
    this.#again = false;
    this.#schedule(next);
  }

  #publish(snapshot: LeaseSnapshot, read: string): void {
    const { directory } = this.#options;
    const state = `${read} ${this.#failure ?? ''}`;
    if (this.#current?.state === state) return;
    const failed =
      this.#failure === undefined
        ? []
        : [{ object: directory, message: `Cannot watch "${directory}": ${this.#failure}` }];
    this.#current = { snapshot: { ...snapshot, problems: [...snapshot.problems, ...failed] }, state };
    this.#changed.beat();
  }
}
