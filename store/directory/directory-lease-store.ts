// Leases in a directory that all nodes share: the lab's, or a mounted one. Puts together the files (lease-directory.ts), the
// choice of a subnet (acquire-lease.ts), what counts (lease-selection.ts) and the watch (directory-watch.ts).
import { resolve } from 'node:path';
import { isHeldBy } from '../choose-lease.ts';
import { defaultTtlMs, type Lease } from '../lease.ts';
import { leaseKey } from '../lease-key.ts';
import { LeaseSelection } from '../lease-selection.ts';
import {
  type LeaseRequest,
  type LeaseSnapshot,
  type LeaseStore,
  type StoreProblem,
  sameProblems,
} from '../lease-store.ts';
import type { NetworkConfig } from '../network-config.ts';
import { StoreError } from '../store-error.ts';
import { acquireLease, renewFile } from './acquire-lease.ts';
import { DirectoryWatch } from './directory-watch.ts';
import type { ExclusiveFileOptions } from './exclusive-file.ts';
import { Follow, type FollowOptions } from './following.ts';
import { LeaseDirectory } from './lease-directory.ts';
import { LeaseScan } from './lease-scan.ts';

export type DirectoryLeaseStoreOptions = {
  readonly directory: string;
  /** A lease that its holder has not renewed for this long is over. Every node must have the same. */
  readonly ttlMs?: number;
  /** Longest time between two looks at the directory while it is watched. */
  readonly rescanMs?: number;
  /** Milliseconds since the epoch, the same on all nodes but for much less than the TTL. */
  readonly now?: () => number;
} & FollowOptions &
  ExclusiveFileOptions;

export class DirectoryLeaseStore implements LeaseStore {
  readonly #directory: LeaseDirectory;
  readonly #scanner: LeaseScan;
  readonly #watch: DirectoryWatch;
  #own: string | undefined;
  readonly #selection = new LeaseSelection();
  #config: NetworkConfig | undefined;
  #configText = '';
  #last: LeaseSnapshot = { config: undefined, leases: new Map(), problems: [] };
  #version = 0;

  constructor({
    directory,
    ttlMs = defaultTtlMs,
    rescanMs = 30_000,
    now = Date.now,
    link,
    ...follow
  }: DirectoryLeaseStoreOptions) {
    const absolute = resolve(directory);
    const exclusive = link === undefined ? {} : { link };
    this.#directory = new LeaseDirectory({ directory: absolute, ttlMs, now, ...exclusive });
    this.#scanner = new LeaseScan(this.#directory);
    this.#watch = new DirectoryWatch({
      directory: absolute,
      rescanMs,
      follow: new Follow(absolute, follow),
      read: (names) => this.#read(names),
    });
  }

  async networkConfig(signal: AbortSignal): Promise<NetworkConfig> {
    signal.throwIfAborted();
    return this.#directory.readConfig();
  }

  async acquire(request: LeaseRequest, signal: AbortSignal): Promise<Lease> {
    const lease = await acquireLease({ directory: this.#directory, scanner: this.#scanner }, request, signal);
    this.#own = leaseKey(lease);
    this.#watch.poke();
    return lease;
  }

  async renew(lease: Lease, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const path = this.#directory.pathOf(leaseKey(lease));
    const expiresAt = this.#directory.now() + this.#directory.ttlMs;
    if (!(await renewFile(this.#directory, lease))) {
      this.#own = undefined;
      throw new StoreError(`Cannot renew lease "${path}": it is gone or another node's`, {
        code: 'lost',
        object: path,
      });
    }
    return { ...lease, expiresAt };
  }

  async release(lease: Lease, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const key = leaseKey(lease);
    const { files } = await this.#scanner.scan();
    const isOurs = (found: Lease | undefined) => found !== undefined && isHeldBy(found, lease);
    if (isOurs(files.get(key)?.lease)) {
      await this.#directory.removeIf(key, (file) => isOurs(file.lease));
    }
    if (this.#own === key) this.#own = undefined;
    this.#watch.poke();
  }

  async snapshot(signal: AbortSignal): Promise<LeaseSnapshot> {
    signal.throwIfAborted();
    return (await this.#read()).snapshot;
  }

  watch(signal: AbortSignal): AsyncIterable<LeaseSnapshot> {
    return this.#watch.snapshots(signal);
  }

  async close(): Promise<void> {
    await this.#watch.close();
  }

  async #read(names?: ReadonlySet<string>): Promise<{
    readonly snapshot: LeaseSnapshot;
    readonly version: number;
    readonly nextChangeMs: number;
  }> {
    const scan = await this.#scanner.scan(names);
    // From here on nothing waits: reads that overlap finish in the order of their scans.
    const problems: StoreProblem[] = [];
    const config = this.#readConfig(problems);
    problems.push(...scan.problems);
    const { ttlMs, now } = this.#directory;
    const time = now();
    let leases = this.#last.leases;
    let isNew = config !== this.#last.config;
    let nextChangeMs = Number.POSITIVE_INFINITY;
    if (config !== undefined) {
      const selected = this.#selection.update({
        files: scan.files,
        changed: this.#scanner.takeChanged(),
        config,
        own: this.#own,
        renewedSince: time - ttlMs,
      });
      leases = selected.leases;
      problems.push(...selected.problems);
      isNew ||= selected.changed;
      nextChangeMs = selected.oldest + ttlMs + 1 - time;
    }
    isNew ||= !sameProblems(problems, this.#last.problems);
    if (isNew) this.#version++;
    this.#last = { config, leases, problems };
    return { snapshot: this.#last, version: this.#version, nextChangeMs };
  }

  /** The last good configuration stays while the file is gone or wrong: nodes go on with what they have. */
  #readConfig(problems: StoreProblem[]): NetworkConfig | undefined {
    try {
      const config = this.#directory.readConfig();
      const text = JSON.stringify(config);
      // The same object while nothing changes, so that readers and #read see that.
      if (text !== this.#configText) this.#config = config;
      this.#configText = text;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      problems.push({ object: error.object, message: error.message });
    }
    return this.#config;
  }
}
