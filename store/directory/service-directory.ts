// Services from a directory of Kubernetes manifests: looks when chokidar reports anything, and every so often: much more often, and
// without chokidar, where other machines write (following.ts). Readers get what changed, never a backlog.

import { basename, join, resolve } from 'node:path';
import { Pulse } from '../../runtime/pulse.ts';
import type { StoreProblem } from '../lease-store.ts';
import { ServiceIndex } from '../service-index.ts';
import type { ServiceBatch, ServiceSource } from '../service-source.ts';
import { type FolderWatch, watchFolder } from './folder-watch.ts';
import { Follow, type FollowOptions } from './following.ts';
import { ServiceFiles, usualSettleMs } from './service-files.ts';
import { linkKey, missingKey, type WatchedFolder, watchedFolders } from './watched-folders.ts';

/** From the first event to the read: one rename makes several. */
const gatherMs = 1;

/** Shortest time from the end of a read to the next one: a burst of events costs one read each time, not one an event. */
const restMs = 20;

/** Longest time that the first batch waits for files that are being written. */
const firstWaitMs = 1000;

/** From a look that was given up to the next one. */
const failedMs = 1000;

/** The pause after a look at everything, in times of what it took: of many files the looks cost no more than that part. */
const leastPause = 50;

/** After that many events at once some may be lost: the kernel keeps 16,384. */
const mostEvents = 4096;

export interface ServiceDirectoryOptions extends FollowOptions {
  readonly directory: string;
  /** Longest time between two looks at everything. */
  readonly rescanMs?: number;
  /** A file that was written to less than this ago may not be whole yet. 50 unless given. */
  readonly settleMs?: number;
}

/** Files NAME.yaml, NAME.yml and NAME.json at any depth. */
export function createServiceDirectory({
  directory,
  rescanMs = 30_000,
  settleMs = usualSettleMs,
  ...follow
}: ServiceDirectoryOptions): ServiceSource {
  const absolute = resolve(directory);
  return new ServiceDirectory(absolute, { rescanMs, settleMs, follow: new Follow(absolute, follow) });
}

class ServiceDirectory implements ServiceSource {
  readonly #directory: string;
  readonly #rescanMs: number;
  readonly #follow: Follow;
  readonly #settleMs: number;
  readonly #files: ServiceFiles;
  readonly #index: ServiceIndex;
  readonly #watches = new Map<string, WatchedFolder & { readonly watch: FolderWatch }>();
  /** Why a folder cannot be watched. */
  readonly #failures = new Map<string, string>();
  /** Why the last look was given up. */
  #failure: string | undefined;
  #work = { trees: new Set(['']), folders: new Set<string>(), paths: new Set<string>() };
  #events = 0;
  /** When the oldest of `#work` was heard of, and of what is read and not yet given. */
  #workHeardAt: number | undefined;
  #heardAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** When everything is to be looked at again. */
  #allDue = Number.NEGATIVE_INFINITY;
  #problems: readonly StoreProblem[] = [];
  #problemsGiven: readonly StoreProblem[] | undefined;
  #isStarted = false;
  #isRead = false;
  #isWatched = false;
  #isClosed = false;
  readonly #changed = new Pulse();

  constructor(
    directory: string,
    {
      rescanMs,
      settleMs,
      follow,
    }: { readonly rescanMs: number; readonly settleMs: number; readonly follow: Follow },
  ) {
    this.#directory = directory;
    this.#rescanMs = rescanMs;
    this.#settleMs = settleMs;
    this.#follow = follow;
    this.#index = new ServiceIndex({ nameOf: (file) => join(directory, file) });
    this.#files = new ServiceFiles({ directory, index: this.#index, settleMs });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ServiceBatch, void, undefined> {
    if (this.#isWatched) throw new Error(`Cannot watch "${this.#directory}" twice at a time`);
    this.#isWatched = true;
    this.#problemsGiven = undefined;
    if (!this.#isStarted) {
      this.#isStarted = true;
      this.#hear(0);
    }
    const wake = () => this.#changed.beat();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!this.#isClosed && !signal.aborted) {
        const changed = this.#changed.next;
        const batch = this.#takeBatch();
        if (batch === undefined) await changed;
        else yield batch;
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#isWatched = false;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#files.stop();
    this.#changed.beat();
    await this.#looking;
    await Promise.all([...this.#watches.values()].map(({ watch }) => watch.close()));
    this.#watches.clear();
  }

  /** What a reader does not know; undefined when there is nothing, or when a read is in the middle of a file. */
  #takeBatch(): ServiceBatch | undefined {
    if (!this.#isRead || this.#looking !== undefined) return undefined;
    const isFirst = this.#problemsGiven === undefined;
    const hasProblems = this.#problems !== this.#problemsGiven;
    if (!isFirst && !hasProblems && !this.#index.hasChanges) return undefined;
    const changes = isFirst ? this.#index.takeAll() : this.#index.takeChanges();
    const heardAt = this.#heardAt ?? performance.now();
    this.#heardAt = undefined;
    this.#problemsGiven = this.#problems;
    // What was changed and changed back is no news.
    if (!isFirst && !hasProblems && changes.services.size === 0 && changes.slices.size === 0)
      return undefined;
    return { ...changes, problems: this.#problems, heardAt };
  }

  #hear(delayMs: number): void {
    this.#workHeardAt ??= performance.now();
    this.#schedule(delayMs);
  }

  #hearSoon(): void {
    this.#hear(Math.max(gatherMs, this.#lookedAt + restMs - performance.now()));
  }

  /** An event in a folder: `name` is undefined when it may be about all of it. */
  #notice(folder: string, name: string | undefined): void {
    if (this.#isClosed) return;
    const { trees, folders, paths } = this.#work;
    if (++this.#events > mostEvents) trees.add('');
    else if (name === undefined) folders.add(folder);
    // Kubernetes keeps the files of a ConfigMap in a folder "..TIME", and links to it "..data", and to that every file.
    else if (name.startsWith('..')) trees.add(folder);
    else if (!name.startsWith('.')) paths.add(folder === '' ? name : `${folder}/${name}`);
    else return;
    this.#hearSoon();
  }

  /** One timer for all reasons: the earliest counts. */
  #schedule(delayMs: number): void {
    const due = performance.now() + delayMs;
    if (this.#isClosed || due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(
      () => {
        this.#due = Number.POSITIVE_INFINITY;
        // At its end it looks whether there is more to do.
        this.#looking ??= this.#look();
      },
      Math.max(0, delayMs),
    );
  }

  async #look(): Promise<void> {
    // Timers count whole milliseconds and may be early by one.
    if (performance.now() + 1 >= this.#allDue) this.#work.trees.add('');
    const work = this.#work;
    const heardAt = this.#workHeardAt ?? performance.now();
    this.#work = { trees: new Set(), folders: new Set(), paths: new Set() };
    this.#workHeardAt = undefined;
    this.#events = 0;
    const startedAt = performance.now();
    let unsettled: ReadonlySet<string> = new Set();
    this.#failure = undefined;
    if (work.trees.has('')) this.#follow.update();
    this.#files.ages.clock = this.#follow.isPolling ? 'foreign' : 'ours';
    try {
      unsettled = await this.#files.look(work);
    } catch (error) {
      // Not one of the errors that files have, which are problems: everything is looked at again.
      this.#failure = `Cannot read "${this.#directory}": ${String(error)}`;
      this.#work.trees.add('');
    }
    // It was stopped in the middle.
    if (this.#isClosed) return;
    this.#watchFolders({ again: work.trees.has('') });
    this.#gatherProblems();
    const isNews = this.#index.hasChanges || this.#problems !== this.#problemsGiven;
    if (isNews) this.#heardAt = Math.min(this.#heardAt ?? heardAt, heardAt);
    this.#lookedAt = performance.now();
    // The first batch is everything, so that it waits for what is being written.
    if (unsettled.size === 0 || this.#lookedAt - heardAt > firstWaitMs) this.#isRead = true;
    if (work.trees.has('')) {
      const took = this.#lookedAt - startedAt;
      this.#allDue =
        this.#lookedAt +
        (this.#follow.isPolling
          ? this.#follow.pauseAfter(took - this.#files.contentsMs)
          : Math.max(this.#rescanMs, took * leastPause));
    }
    this.#looking = undefined;
    this.#changed.beat();
    const { trees, folders, paths } = this.#work;
    if (this.#failure !== undefined) this.#schedule(failedMs);
    else if (trees.size + folders.size + paths.size > 0) this.#schedule(restMs);
    if (unsettled.size > 0) {
      for (const path of unsettled) paths.add(path);
      this.#workHeardAt = Math.min(this.#workHeardAt ?? heardAt, heardAt);
      this.#schedule(this.#settleMs);
    }
    this.#schedule(Math.max(0, this.#allDue - this.#lookedAt));
  }

  #gatherProblems(): void {
    const failed = [...this.#failures.values()].map((message) => ({ object: this.#directory, message }));
    if (this.#failure !== undefined) failed.push({ object: this.#directory, message: this.#failure });
    const problems = [...this.#files.problems, ...this.#index.problems, ...failed];
    const isSame =
      problems.length === this.#problems.length &&
      problems.every(({ object, message }, i) => {
        const before = this.#problems[i];
        return before?.object === object && before.message === message;
      });
    if (!isSame) this.#problems = problems;
  }

  /** One watch a folder, made after the read, so that this does not wait for chokidar to look at every file too. */
  #watchFolders({ again }: { readonly again: boolean }): void {
    const wanted = this.#follow.isPolling
      ? new Map<string, WatchedFolder>()
      : watchedFolders(this.#directory, this.#files.folders);
    for (const [key, { watch, folder, incarnation }] of this.#watches) {
      const now = wanted.get(key);
      const isSame = now?.folder === folder && now.incarnation === incarnation;
      if (isSame && !(again && this.#failures.has(key))) continue;
      this.#watches.delete(key);
      this.#failures.delete(key);
      void watch.close();
    }
    for (const [key, folder] of wanted) {
      if (this.#watches.has(key)) continue;
      const watch = this.#watchFolder(key, folder);
      this.#watches.set(key, { ...folder, watch });
    }
  }

  #watchFolder(key: string, { folder, incarnation }: WatchedFolder): FolderWatch {
    const isCurrent = () => {
      const now = this.#watches.get(key);
      return now?.folder === folder && now.incarnation === incarnation;
    };
    return watchFolder({
      folder,
      onChange: (name) => {
        if (!isCurrent()) return;
        if (key === missingKey) this.#notice('', undefined);
        else if (key !== linkKey) this.#notice(key, name);
        else if (name === undefined || name === basename(this.#directory)) this.#notice('', '..');
      },
      onFailure: (reason) => {
        if (!isCurrent()) return;
        this.#failures.set(key, `Cannot watch "${folder}": ${reason}`);
        this.#hearSoon();
      },
    });
  }
}
