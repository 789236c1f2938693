// Follows keys of etcd: all of them at one revision, then every change after it. A stream that breaks is taken up where it was, at
// another member if need be; only what etcd has compacted away, or a database that was put back, is read anew. It keeps no value: whoever
// listens gets each once. What the keys are for it does not know.
import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '../../runtime/backoff.ts';
import { StoreError } from '../store-error.ts';
import type { EtcdClient } from './etcd-client.ts';
import { isCompacted, reasonOf } from './etcd-error.ts';
import { type KeyRange, keyBytes, keyText } from './key-range.ts';
import { eventType, type KeyValue, type WatchResponse } from './messages.ts';

/** Keys in one answer. */
const pageSize = 1000n;
/** After a first try at the next member at once. */
const backoff = { min: 250, max: 5000 } as const;

/** By key; undefined: it is gone. */
export type KeyChanges = ReadonlyMap<string, KeyValue | undefined>;

export interface Listing {
  readonly keys: Map<string, KeyValue>;
  readonly revision: bigint;
  readonly cluster: bigint;
}

export interface KeysState {
  /** These are all keys there are: others are gone. */
  readonly isWhole: boolean;
  /** By range, up to which nothing is missing. */
  readonly revisions: readonly bigint[];
}

export interface FollowListener {
  /** What may differ from last time. */
  keys(changes: KeyChanges, state: KeysState): void;
  /** The watch stands: what changes from now on is heard. */
  connected(): void;
  /** Neither this nor the other members answered; it is tried again and again. */
  broken(error: unknown): void;
}

export interface KeyFollowerOptions {
  readonly client: EtcdClient;
  readonly ranges: readonly KeyRange[];
}

/** All keys of the ranges at one revision. */
export async function listKeys(
  { client, ranges }: KeyFollowerOptions,
  signal: AbortSignal,
): Promise<Listing> {
  const keys = new Map<string, KeyValue>();
  let revision = 0n;
  let cluster = 0n;
  for (const range of ranges) {
    let key = keyBytes(range.start);
    for (let more = true; more; ) {
      const end = range.end === undefined ? {} : { range_end: keyBytes(range.end) };
      const answer = await client.range({ key, ...end, limit: pageSize, revision }, signal);
      if (revision === 0n) {
        revision = answer.header?.revision ?? 0n;
        cluster = answer.header?.cluster_id ?? 0n;
      }
      for (const kv of answer.kvs) keys.set(keyText(kv.key), kv);
      const last = answer.kvs.at(-1);
      more = answer.more && last !== undefined;
      // The key after the last one.
      if (last !== undefined) key = Buffer.concat([last.key, new Uint8Array(1)]);
    }
  }
  return { keys, revision, cluster };
}

/** The watch cannot be taken up where it was. */
class LostPlace extends Error {}

export class KeyFollower {
  readonly #options: KeyFollowerOptions;
  readonly #listener: FollowListener;
  #cluster = 0n;
  /** For each range the first revision that was not heard of yet. */
  #next: bigint[] = [];
  #failures = 0;

  constructor(options: KeyFollowerOptions, listener: FollowListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, ranges } = this.#options;
    let isKnown = false;
    while (!signal.aborted) {
      try {
        if (!isKnown) {
          const { keys, revision, cluster } = await listKeys(this.#options, signal);
          this.#cluster = cluster;
          this.#next = ranges.map(() => revision + 1n);
          isKnown = true;
          this.#tell(keys, true);
        }
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        const isLost = error instanceof LostPlace;
        if (isLost) isKnown = false;
        this.#failures++;
        // A member that went away is no outage: the next one is asked first.
        if (this.#failures > client.endpoints.length && !isLost) this.#listener.broken(error);
        const wait = backoffDelay(this.#failures, { ...backoff, random: Math.random });
        await delay(this.#failures === 1 ? 0 : wait, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #tell(changes: KeyChanges, isWhole: boolean): void {
    this.#listener.keys(changes, { isWhole, revisions: this.#next.map((next) => next - 1n) });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, ranges } = this.#options;
    const created = new Set<bigint>();
    await client.watch({
      signal,
      requests: ranges.map(({ start, end }, i) => ({
        create_request: {
          key: keyBytes(start),
          ...(end === undefined ? {} : { range_end: keyBytes(end) }),
          start_revision: this.#next[i] ?? 0n,
          progress_notify: true,
          // 0 would let etcd choose.
          watch_id: BigInt(i + 1),
          fragment: true,
        },
      })),
      onResponse: (response) => {
        this.#take(response);
        if (!response.created) return;
        created.add(response.watch_id);
        if (created.size < ranges.length) return;
        this.#failures = 0;
        this.#listener.connected();
      },
    });
  }

  #take({ header, watch_id, fragment, events, ...response }: WatchResponse): void {
    const index = Number(watch_id) - 1;
    if (response.canceled) throw this.#ended(response);
    const next = this.#next[index];
    if (next === undefined) throw watchFault(`an answer to nobody: watch ${watch_id}`);
    const revision = header?.revision ?? 0n;
    if (response.created) {
      // Older than what we know: a member that lags, or a database that was put back. Reading anew tells.
      const isOther = header !== undefined && header.cluster_id !== this.#cluster;
      if (isOther || revision < next - 1n) throw new LostPlace(`at ${revision} in place of ${next - 1n}`);
      return;
    }
    const changes = new Map<string, KeyValue | undefined>();
    let latest = next - 1n;
    for (const { type, kv } of events) {
      if (kv === undefined) continue;
      const key = keyText(kv.key);
      if (kv.mod_revision > latest) latest = kv.mod_revision;
      changes.set(key, type === eventType.delete ? undefined : kv);
    }
    // Without events it tells how far we are.
    if (events.length === 0 && revision > latest) latest = revision;
    // More of the last revision comes with the next piece.
    this.#next[index] = fragment ? latest : latest + 1n;
    if (changes.size > 0) this.#tell(changes, false);
  }

  #ended({
    compact_revision,
    cancel_reason,
  }: Pick<WatchResponse, 'compact_revision' | 'cancel_reason'>): Error {
    const fault = { code: 0, details: cancel_reason };
    if (compact_revision > 0n || isCompacted(fault)) return new LostPlace(`compacted at ${compact_revision}`);
    // It has lost its leader, or we may not read.
    this.#options.client.distrust();
    return watchFault(reasonOf(fault));
  }
}

function watchFault(message: string): StoreError {
  return new StoreError(`Cannot watch: ${message}`, { code: 'unavailable', object: 'etcd' });
}
