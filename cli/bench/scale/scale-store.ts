// What the stores' benchmark wants of a store: nodes and services put into it as those would who really write them, what its readers are
// to open, and what has been said on the wire.
import type { LeaseStoreChoice } from '../../../store/open-lease-store.ts';
import type { ServiceSourceChoice } from '../../../store/open-service-source.ts';
import type { Amount } from '../proxy-services.ts';
import type { Relay } from './relay.ts';
import type { NodeState } from './scale-nodes.ts';

export type ScaleStoreName = 'directory' | 'etcd' | 'kubernetes';

export interface ScaleStore extends AsyncDisposable {
  readonly name: ScaleStoreName;
  readonly leases: LeaseStoreChoice;
  readonly services: ServiceSourceChoice;
  /** Between the readers and the server; undefined where there is none. */
  readonly relay: Relay | undefined;
  /** These join, or change, as fast as the store takes it. A store that joins in steps does all of them. */
  put(nodes: readonly NodeState[]): Promise<void>;
  remove(numbers: readonly number[]): Promise<void>;
  /** What a cluster of so many nodes writes to the store all the time, whatever the network does; returns how to stop it. */
  beginHeartbeats(nodes: number): () => void;
  /** So many services are there, and no others. */
  putServices(amount: Amount): Promise<void>;
  /** An endpoint of the service is somewhere else, or back. */
  moveEndpoint(service: number, to: { readonly amount: Amount; readonly moved: boolean }): Promise<void>;
}
