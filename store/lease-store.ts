// What every source of leases offers: a directory, etcd, later Kubernetes. Only the shape; nothing here knows where they are kept.
import type { Lease } from './lease.ts';
import type { LeaseSubnets } from './lease-key.ts';
import type { NetworkConfig } from './network-config.ts';

/** What a node asks for and publishes about itself. */
export type LeaseRequest = Pick<
  Lease,
  'publicIp' | 'publicIp6' | 'backendType' | 'backendData' | 'backendDataV6'
> & {
  readonly node: string;
  /** The subnets of the node's last life (its subnet.env), taken again if they are free. */
  readonly previous?: LeaseSubnets | undefined;
};

/** Something in the store that is left out of the snapshot, or kept as it last was, and why. */
export type StoreProblem = { readonly object: string; readonly message: string };

export function sameProblems(one: readonly StoreProblem[], other: readonly StoreProblem[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ object, message }, i) => object === other[i]?.object && message === other[i].message)
  );
}

/** The whole state at one moment, never a difference. */
export type LeaseSnapshot = {
  /** The last good one; undefined when there has not been any. */
  readonly config: NetworkConfig | undefined;
  /**
   * Live and valid leases by `leaseKey`: inside of the network, no two overlap, no two have one public address. A lease that
   * did not change is the same object as in the snapshot before; a renewal changes it (its end). Readers may rely on that.
   */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly problems: readonly StoreProblem[];
};

/** How the node does, for a store that shows it to operators. */
export type NodeReport = {
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly blockers: readonly string[];
  /** What is left out or kept as it last was: of the store, and peers that are refused. */
  readonly problems: readonly StoreProblem[];
};

export type LeaseStore = {
  /** Rejects with StoreError `missing` or `invalid`. */
  networkConfig(signal: AbortSignal): Promise<NetworkConfig>;
  /**
   * The node's lease with what the request publishes: the one it has, else its previous subnets, else free ones.
   * Rejects with StoreError `full`, `conflict` (another node has our public address), or as `networkConfig`.
   */
  acquire(request: LeaseRequest, signal: AbortSignal): Promise<Lease>;
  /** Extends the lease. Rejects with StoreError `lost` when it is not ours any more: acquire again. */
  renew(lease: Lease, signal: AbortSignal): Promise<Lease>;
  /** Gives the lease back; does nothing when it is not ours any more. */
  release(lease: Lease, signal: AbortSignal): Promise<void>;
  /** The state now. */
  snapshot(signal: AbortSignal): Promise<LeaseSnapshot>;
  /**
   * The state now, then each later one; a slow reader gets only the newest. A renewal alone is no change.
   * Ends when the signal aborts or the store is closed.
   */
  watch(signal: AbortSignal): AsyncIterable<LeaseSnapshot>;
  /** Hears how the node does, after each pass: often, and mostly the same. */
  report?(report: NodeReport): void;
  close(): Promise<void>;
};
