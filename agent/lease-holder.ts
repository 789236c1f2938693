// Holds the node's lease: acquires it, publishes anew what changed, renews it in time, and gets another when it is lost. When
// the store cannot be reached it goes on with the lease that it has until that ends.
import { backoffDelay } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { isHeldBy } from '../store/choose-lease.ts';
import { type Lease, subnetsOf } from '../store/lease.ts';
import { type LeaseSubnets, leaseKey } from '../store/lease-key.ts';
import type { LeaseSnapshot, LeaseStore } from '../store/lease-store.ts';
import { isStoreError } from '../store/store-error.ts';
import type { Advertisement } from './backend/backend.ts';

/** Between attempts that failed: a store that comes back is not to hear all nodes at once, nor one node four times a second. */
const backoff = { min: 500, max: 10_000 } as const;

/** The most that is taken off the time to a renewal, by chance: nodes that started together are soon apart. */
const spread = 0.25;

export interface LeaseHolderOptions {
  readonly store: LeaseStore;
  readonly node: string;
  /** Most milliseconds between renewals; up to a quarter less. */
  readonly renewInterval: number;
  readonly clock: Clock;
  /** In [0, 1), for the jitter. Math.random unless given. */
  readonly random?: () => number;
  /** The subnets of the node's last life. */
  readonly previous: () => LeaseSubnets | undefined;
  /** Hears what became of the lease without our doing: that it is lost, that it is back or another. */
  readonly onNews?: (news: string) => void;
}

export interface HeldLease {
  readonly lease: Lease | undefined;
  /** Why there is none, or why it could not be renewed. */
  readonly error: unknown;
}

export interface LeaseHolder {
  /** Makes sure of the lease with what it is to say. Never rejects but when the signal aborts. */
  hold(advertisement: Advertisement, signal: AbortSignal): Promise<HeldLease>;
  /** Renews the lease as it is, when that is due: for a node that cannot say where it is at the moment. */
  keep(signal: AbortSignal): Promise<HeldLease>;
  /** Looks whether the store still has the lease. */
  notice(snapshot: LeaseSnapshot): void;
  /** True while a lease is held that has not ended. */
  readonly isHeld: boolean;
  readonly lease: Lease | undefined;
  /** Clock time of the last acquisition or renewal. */
  readonly renewedAt: number | undefined;
  /** When the store is to be asked next: for a renewal, or again after a failure; Infinity when it never was asked. */
  readonly renewAt: number;
  readonly error: unknown;
  /** Why the lease in the store is not as this process published it: another machine uses the node's name. */
  readonly conflict: string | undefined;
}

export function createLeaseHolder(options: LeaseHolderOptions): LeaseHolder {
  const { store, node, renewInterval, clock, random = Math.random, onNews = () => {} } = options;
  let lease: Lease | undefined;
  let published: string | undefined;
  let lost = false;
  let renewedAt: number | undefined;
  let error: unknown;
  let failures = 0;
  /** Before that the store is not asked. */
  let retryAt: number | undefined;
  let interval = renewInterval;
  /** Under this node's name in the store, as last heard. */
  let seen: Lease | undefined;
  /** All that this process has published or was about to: a snapshot may be older than the last of it, or come before the store's answer. */
  const told = new Set<string>();

  const isEnded = (): boolean => lease?.expiresAt !== undefined && lease.expiresAt <= clock.now();
  const renewAt = (): number =>
    retryAt ?? (renewedAt === undefined ? Number.POSITIVE_INFINITY : renewedAt + interval);

  function isKept(): void {
    renewedAt = clock.now();
    interval = renewInterval * (1 - random() * spread);
  }

  async function acquire(advertisement: Advertisement, signal: AbortSignal): Promise<void> {
    const before = lease;
    const previous = before ?? options.previous();
    told.add(whereabouts(advertisement));
    lease = await store.acquire({ ...advertisement, node, previous }, signal);
    if (before !== undefined) tellWhere(before, lease);
    published = JSON.stringify(advertisement);
    told.add(whereabouts(lease));
    lost = false;
    isKept();
  }

  /** False when the lease was lost. */
  async function renew(signal: AbortSignal): Promise<boolean> {
    if (lease === undefined) return false;
    try {
      lease = await store.renew(lease, signal);
      isKept();
      return true;
    } catch (problem) {
      if (!isStoreError(problem, 'lost')) throw problem;
      lose(`the lease of ${namesOf(lease)} could not be renewed: it is gone or another’s`);
      return false;
    }
  }

  function lose(news: string): void {
    if (lost) return;
    lost = true;
    onNews(news);
  }

  function tellWhere(before: Lease, now: Lease): void {
    const [old, subnets] = [namesOf(before), namesOf(now)];
    if (old !== subnets)
      onNews(
        `has moved from ${old} to ${subnets}: pods with addresses of the old subnet are not reached any more`,
      );
    else if (lost) onNews(`has the lease of ${subnets} again`);
  }

  async function attempt(work: () => Promise<void>, signal: AbortSignal): Promise<HeldLease> {
    try {
      if (retryAt === undefined || clock.now() >= retryAt) {
        await work();
        error = undefined;
        failures = 0;
        retryAt = undefined;
      }
    } catch (problem) {
      signal.throwIfAborted();
      error = problem;
      failures++;
      retryAt = clock.now() + backoffDelay(failures, { ...backoff, random });
    }
    return { lease: lost || isEnded() ? undefined : lease, error };
  }

  return {
    hold: (advertisement, signal) =>
      attempt(async () => {
        const stale = lease === undefined || lost || published !== JSON.stringify(advertisement);
        if (stale || isEnded()) await acquire(advertisement, signal);
        else if (clock.now() >= renewAt() && !(await renew(signal))) await acquire(advertisement, signal);
      }, signal),
    keep: (signal) =>
      attempt(async () => {
        if (lease !== undefined && !lost && clock.now() >= renewAt()) await renew(signal);
      }, signal),
    notice(snapshot) {
      if (lease === undefined || snapshot.config === undefined) return;
      const found = snapshot.leases.get(leaseKey(lease));
      if (found === undefined) lose(`the lease of ${namesOf(lease)} is gone from the store`);
      else if (!isHeldBy(found, lease))
        lose(
          `the lease of ${namesOf(lease)} is another’s now: ${found.node ?? found.publicIp ?? found.publicIp6}`,
        );
      seen = found?.node === node ? found : undefined;
    },
    get isHeld() {
      return lease !== undefined && !lost && !isEnded();
    },
    get lease() {
      return lease;
    },
    get renewedAt() {
      return renewedAt;
    },
    get renewAt() {
      return renewAt();
    },
    get error() {
      return error;
    },
    get conflict() {
      // Not taken back: two machines would take it from each other for ever.
      if (seen === undefined || told.has(whereabouts(seen))) return undefined;
      return `another machine calls itself "${node}" too: the lease of this name is that of ${seen.publicIp ?? seen.publicIp6}`;
    },
  };
}

function namesOf(lease: Lease): string {
  return subnetsOf(lease).join(' and ');
}

/** What a lease tells the other nodes of its holder. */
function whereabouts({
  publicIp,
  publicIp6,
  backendType,
  backendData,
  backendDataV6,
}: Advertisement): string {
  return JSON.stringify([publicIp, publicIp6, backendType, backendData, backendDataV6]);
}
