// What every source of services offers: a directory, etcd, Kubernetes. Only the shape; nothing here knows where they are kept.
import type { Prefix } from '../net/prefix.ts';
import type { EndpointSlice } from './endpoint-slice.ts';
import type { StoreProblem } from './lease-store.ts';
import type { Service } from './service.ts';

/** What changed since the batch before. The first batch of a watch is everything there is; it comes even when that is nothing. */
export interface ServiceBatch {
  /** By serviceKey; undefined: it is gone. An object that did not change is not named. */
  readonly services: ReadonlyMap<string, Service | undefined>;
  /** By sliceKey. */
  readonly slices: ReadonlyMap<string, EndpointSlice | undefined>;
  /** All that is wrong at present, whole, not only what is new. `object` names file, kind and object. */
  readonly problems: readonly StoreProblem[];
  /** performance.now() when the source first heard of the oldest change in it. */
  readonly heardAt: number;
}

/** What a store knows of the node that a proxy runs on. */
export interface NodeState {
  /** The store has been heard of the node at all. */
  readonly isKnown: boolean;
  /** Load balancers may send it traffic, as kube-proxy sees it: it exists, is not being deleted, and the autoscaler leaves it alone. */
  readonly isEligible: boolean;
  readonly zone: string | undefined;
  readonly podNetworks: readonly Prefix[];
}

export interface NodeSource {
  readonly state: NodeState;
  /** Calls back on each change from now on. */
  listen(onChange: (state: NodeState) => void): void;
}

export interface ServiceSource {
  /** The node, where the store knows nodes. Closed with the source. */
  readonly node?: NodeSource;
  /** Batches until the signal aborts or the source is closed. A slow reader gets several batches as one. One watch at a time. */
  watch(signal: AbortSignal): AsyncIterable<ServiceBatch>;
  close(): Promise<void>;
}
