// What the keys of a network amount to: the snapshot of its leases, kept from one change to the next. Nothing is asked of etcd here.
import { Pulse } from '../../runtime/pulse.ts';
import { LeaseSelection } from '../lease-selection.ts';
import { type LeaseSnapshot, type StoreProblem, sameProblems } from '../lease-store.ts';
import { decodeNetworkConfig, type NetworkConfig } from '../network-config.ts';
import { StoreError } from '../store-error.ts';
import { configMissing } from './acquire-lease.ts';
import type { KeyChanges } from './key-follower.ts';
import { isRecord, type KeyRecord, type LeasePlaces, recordOf } from './lease-keys.ts';
import type { KeyValue } from './messages.ts';

export class LeaseView {
  readonly #places: LeasePlaces;
  readonly #records = new Map<string, KeyRecord>();
  /** By key of etcd: what is named like no lease, and leases that cannot be read. */
  readonly #keyProblems = new Map<string, StoreProblem>();
  #configProblem: StoreProblem | undefined;
  #problem: string | undefined;
  #hasRead = false;
  #revision = -1n;
  #config: NetworkConfig | undefined;
  #configText: string | undefined;
  /** Keys of leases since the last update; undefined: any. */
  #touched: Set<string> | undefined;
  readonly #selection = new LeaseSelection();
  #last: LeaseSnapshot = { config: undefined, leases: new Map(), problems: [] };
  #version = -1;
  readonly #changed = new Pulse();

  constructor(places: LeasePlaces) {
    this.#places = places;
  }

  /** What keys are now; `isWhole`: there are no others. `revision`: up to which nothing is missing. */
  take(
    changes: KeyChanges,
    { isWhole, revision }: { readonly isWhole: boolean; readonly revision: bigint },
  ): void {
    this.#hasRead = true;
    this.#revision = revision;
    const { config, subnets } = this.#places;
    if (isWhole) {
      const known = [...this.#records.values()].map(({ path }) => path);
      for (const path of [...known, ...this.#keyProblems.keys()])
        if (!changes.has(path)) this.#setKey(path, undefined);
      this.#touched = undefined;
    }
    for (const [path, kv] of changes) if (path.startsWith(subnets)) this.#setKey(path, kv);
    if (isWhole || changes.has(config)) this.#readConfig(changes.get(config));
    this.#changed.beat();
  }

  /** Why etcd cannot be heard; undefined: it can. True when that is news. */
  setProblem(problem: string | undefined): boolean {
    const isKnown = this.#hasTold && (problem === undefined) === (this.#problem === undefined);
    this.#hasTold = true;
    // The first reason of an outage stays: the others come and go.
    if (isKnown) return false;
    this.#problem = problem;
    this.#changed.beat();
    return true;
  }

  #hasTold = false;

  poke(): void {
    this.#changed.beat();
  }

  /** Resolves when something may be different, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#changed.nextOrAbort(signal);
  }

  /** Whether it knows what was written at that revision. While etcd cannot be heard it goes on with what it has. */
  isSettled(revision: bigint): boolean {
    return this.#problem !== undefined || this.#revision >= revision;
  }

  /** The version grows with every difference; below 0 there is nothing to tell yet. */
  update(own: string | undefined): { readonly snapshot: LeaseSnapshot; readonly version: number } {
    if (!this.#hasRead && this.#problem === undefined) return { snapshot: this.#last, version: -1 };
    const problems = [
      ...(this.#problem === undefined ? [] : [{ object: 'etcd', message: this.#problem }]),
      ...(this.#configProblem === undefined ? [] : [this.#configProblem]),
      ...[...this.#keyProblems.values()].toSorted((a, b) => (a.object < b.object ? -1 : 1)),
    ];
    const config = this.#config;
    let { leases } = this.#last;
    let isNew = this.#version < 0 || config !== this.#last.config;
    if (config !== undefined) {
      const selected = this.#selection.update({
        files: this.#records,
        changed: this.#touched,
        config,
        own,
        renewedSince: Number.NEGATIVE_INFINITY,
      });
      this.#touched = new Set();
      leases = selected.leases;
      problems.push(...selected.problems);
      isNew ||= selected.changed;
    }
    isNew ||= !sameProblems(problems, this.#last.problems);
    if (isNew) {
      this.#version++;
      this.#last = { config, leases, problems };
    }
    return { snapshot: this.#last, version: this.#version };
  }

  #setKey(path: string, kv: KeyValue | undefined): void {
    const { subnets } = this.#places;
    const key = path.slice(subnets.length);
    this.#touched?.add(key);
    this.#keyProblems.delete(path);
    if (kv === undefined) {
      this.#records.delete(key);
      return;
    }
    const found = recordOf(path, kv, { subnets, before: this.#records.get(key) });
    if (!isRecord(found)) {
      this.#keyProblems.set(path, found);
      return;
    }
    this.#records.set(key, found);
    if (found.problem !== undefined) this.#keyProblems.set(path, { object: path, message: found.problem });
  }

  /** The last good one stays while it is gone or wrong: nodes go on with what they have. */
  #readConfig(kv: KeyValue | undefined): void {
    const path = this.#places.config;
    this.#configProblem = undefined;
    try {
      if (kv === undefined) throw configMissing(this.#places);
      const config = decodeNetworkConfig(kv.value, path);
      const text = JSON.stringify(config);
      // The same object while nothing changes, so that readers see that.
      if (text !== this.#configText) this.#config = config;
      this.#configText = text;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#configProblem = { object: error.object, message: error.message };
    }
  }
}
