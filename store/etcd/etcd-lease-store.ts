// Leases in etcd, in flannel's layout, so that its nodes and ours share one cluster. Puts together the client, the keys that are
// followed (key-follower.ts), the choice of a subnet (acquire-lease.ts) and what counts (lease-view.ts).
import { setTimeout as delay } from 'node:timers/promises';
import { isHeldBy } from '../choose-lease.ts';
import { defaultTtlMs, type Lease } from '../lease.ts';
import { decodeLease } from '../lease-codec.ts';
import { leaseKey } from '../lease-key.ts';
import type { LeaseRequest, LeaseSnapshot, LeaseStore } from '../lease-store.ts';
import { decodeNetworkConfig, type NetworkConfig } from '../network-config.ts';
import type { SourceSurroundings } from '../source-status.ts';
import { StoreError } from '../store-error.ts';
import { acquireLease, configMissing, keepLease, type LeaseContext } from './acquire-lease.ts';
import { EtcdClient } from './etcd-client.ts';
import { problemText } from './etcd-error.ts';
import type { EtcdOptions } from './etcd-options.ts';
import { KeyFollower, listKeys } from './key-follower.ts';
import { keyBytes } from './key-range.ts';
import { leasePlaces, leaseRanges } from './lease-keys.ts';
import { deleteRequest } from './lease-requests.ts';
import { LeaseView } from './lease-view.ts';
import type { KeyValue } from './messages.ts';

/** Least milliseconds from one snapshot to the next: the first change is told at once, those of a burst together. */
const leastApartMs = 20;

export interface EtcdLeaseStoreOptions extends EtcdOptions {
  /** Where the network is: flannel's /coreos.com/network. */
  readonly prefix: string;
  /** How long a lease lasts that is not renewed. */
  readonly ttlMs?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export class EtcdLeaseStore implements LeaseStore {
  readonly #context: LeaseContext;
  readonly #onStatus: NonNullable<SourceSurroundings['onStatus']>;
  readonly #closing = new AbortController();
  /** The key of this node's own lease. */
  #own: string | undefined;
  /** What we have written last: no snapshot is older. */
  #written = 0n;
  readonly #views = new Set<LeaseView>();
  readonly #running = new Set<Promise<void>>();

  /** Throws StoreError `invalid` for files that cannot be read. */
  constructor(
    { prefix, ttlMs = defaultTtlMs, now = Date.now, ...etcd }: EtcdLeaseStoreOptions,
    { onStatus = () => {} }: SourceSurroundings = {},
  ) {
    this.#context = { client: new EtcdClient(etcd), places: leasePlaces(prefix), ttlMs, now };
    this.#onStatus = onStatus;
  }

  async networkConfig(signal: AbortSignal): Promise<NetworkConfig> {
    const { client, places } = this.#context;
    const { kvs } = await client.range({ key: keyBytes(places.config) }, this.#until(signal));
    const [kv] = kvs;
    if (kv === undefined) throw configMissing(places);
    return decodeNetworkConfig(kv.value, places.config);
  }

  async acquire(request: LeaseRequest, signal: AbortSignal): Promise<Lease> {
    const { lease, revision } = await acquireLease(this.#context, request, this.#until(signal));
    this.#note(leaseKey(lease), revision);
    return lease;
  }

  async renew(lease: Lease, signal: AbortSignal): Promise<Lease> {
    const until = this.#until(signal);
    const name = leaseKey(lease);
    const path = this.#context.places.subnets + name;
    // Once more when somebody wrote to the key in between.
    for (let attempt = 0; attempt < 2; attempt++) {
      const kv = await this.#ownKey(lease, until);
      const kept =
        kv === undefined ? undefined : await keepLease(this.#context, kv, { lease, signal: until });
      if (kept === undefined) continue;
      this.#note(name, kept.revision);
      return kept.lease;
    }
    this.#note(undefined, 0n);
    throw new StoreError(`Cannot renew lease "${path}": it is gone or another node's`, {
      code: 'lost',
      object: path,
    });
  }

  async release(lease: Lease, signal: AbortSignal): Promise<void> {
    const until = this.#until(signal);
    const kv = await this.#ownKey(lease, until);
    let revision = 0n;
    // A reservation stays the node's: who made it takes it away.
    if (kv !== undefined && kv.lease !== 0n) {
      const { header } = await this.#context.client.txn(deleteRequest(kv), until);
      revision = header?.revision ?? 0n;
    }
    this.#note(this.#own === leaseKey(lease) ? undefined : this.#own, revision);
  }

  async snapshot(signal: AbortSignal): Promise<LeaseSnapshot> {
    const { client, places } = this.#context;
    const { keys, revision } = await listKeys({ client, ranges: leaseRanges(places) }, this.#until(signal));
    const view = new LeaseView(places);
    view.take(keys, { isWhole: true, revision });
    return view.update(this.#own).snapshot;
  }

  async *watch(signal: AbortSignal): AsyncIterable<LeaseSnapshot> {
    const { client, places } = this.#context;
    const until = this.#until(signal);
    const view = new LeaseView(places);
    const ended = new AbortController();
    const tell = (problem: string | undefined) => {
      if (!view.setProblem(problem)) return;
      const status = { kind: 'etcd', servers: client.endpoints, connected: problem === undefined } as const;
      this.#onStatus({ ...status, problem: problem ?? null }, undefined);
    };
    const follower = new KeyFollower(
      { client, ranges: leaseRanges(places) },
      {
        keys: (changes, { isWhole, revisions: [, revision = 0n] }) =>
          view.take(changes, { isWhole, revision }),
        connected: () => tell(undefined),
        broken: (error) => tell(problemText(error, client.place)),
      },
    );
    const running = follower.run(AbortSignal.any([until, ended.signal]));
    this.#running.add(running);
    this.#views.add(view);
    try {
      let told = -1;
      let toldAt = Number.NEGATIVE_INFINITY;
      while (!until.aborted) {
        const early = toldAt + leastApartMs - performance.now();
        if (early > 0) await delay(early, undefined, { signal: until }).catch(() => undefined);
        const { snapshot, version } = view.update(this.#own);
        if (version !== told && view.isSettled(this.#written)) {
          told = version;
          toldAt = performance.now();
          yield snapshot;
        } else await view.changed(until);
      }
    } finally {
      this.#views.delete(view);
      ended.abort();
      await running;
      this.#running.delete(running);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The store is closed'));
    await Promise.all(this.#running);
    this.#context.client.close();
  }

  /** The key of a lease, if it is this holder's. */
  async #ownKey(lease: Lease, signal: AbortSignal): Promise<KeyValue | undefined> {
    const { client, places } = this.#context;
    const path = places.subnets + leaseKey(lease);
    const { kvs } = await client.range({ key: keyBytes(path) }, signal);
    const [kv] = kvs;
    if (kv === undefined) return undefined;
    try {
      return isHeldBy(decodeLease(lease, kv.value, { object: path }), lease) ? kv : undefined;
    } catch (error) {
      // Garbage that no holder writes: the key is ours as long as nobody else is named in it.
      if (error instanceof StoreError) return kv;
      throw error;
    }
  }

  #note(own: string | undefined, revision: bigint): void {
    this.#own = own;
    if (revision > this.#written) this.#written = revision;
    for (const view of this.#views) view.poke();
  }

  #until(signal: AbortSignal): AbortSignal {
    signal.throwIfAborted();
    return AbortSignal.any([signal, this.#closing.signal]);
  }
}
