// A lease store in memory for benchmarks: it says what it is told, at once, so that the figures are the agent's own. It checks
// nothing, and knows one node that asks for a lease.
import type { Lease } from '../../store/lease.ts';
import { leaseKey } from '../../store/lease-key.ts';
import type { LeaseSnapshot, LeaseStore } from '../../store/lease-store.ts';
import type { NetworkConfig } from '../../store/network-config.ts';

export interface BenchLeaseStore extends LeaseStore {
  /** What the store would say with these leases of the other nodes. */
  snapshotOf(leases: readonly Lease[]): LeaseSnapshot;
  /** Says so from now on. */
  publish(snapshot: LeaseSnapshot): void;
}

export interface BenchLeaseStoreOptions {
  readonly config: NetworkConfig;
  /** What the asking node is given. */
  readonly subnet: Lease['subnet'];
  readonly leases: readonly Lease[];
}

export function createBenchLeaseStore({ config, subnet, leases }: BenchLeaseStoreOptions): BenchLeaseStore {
  let own: Lease | undefined;
  let now = snapshotOf(leases);
  let changed = Promise.withResolvers<void>();

  function snapshotOf(others: readonly Lease[]): LeaseSnapshot {
    const all = own === undefined ? others : [...others, own];
    return { config, leases: new Map(all.map((lease) => [leaseKey(lease), lease])), problems: [] };
  }

  function publish(snapshot: LeaseSnapshot): void {
    now = snapshot;
    changed.resolve();
    changed = Promise.withResolvers();
  }

  return {
    snapshotOf,
    publish,
    networkConfig: async () => config,
    snapshot: async () => now,
    async acquire({ previous: _, ...request }) {
      own = { ...request, subnet, subnet6: undefined };
      publish(snapshotOf(leases));
      return own;
    },
    renew: async (lease) => lease,
    release: async () => {},
    async *watch(signal) {
      const aborted = new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve(), { once: true }),
      );
      while (!signal.aborted) {
        const next = changed.promise;
        yield now;
        await Promise.race([next, aborted]);
      }
    },
    close: async () => {},
  };
}
