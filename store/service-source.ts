// What every source of services offers: a directory, later etcd and Kubernetes. Only the shape; nothing here knows where they are kept.
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

export interface ServiceSource {
  /** Batches until the signal aborts or the source is closed. A slow reader gets several batches as one. One watch at a time. */
  watch(signal: AbortSignal): AsyncIterable<ServiceBatch>;
  close(): Promise<void>;
}
