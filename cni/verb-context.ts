// What the verbs work with: the wiring, and what is known of the node.
import type { NodeNetwork } from '../agent/wiring/node-network.ts';
import type { Wiring } from '../agent/wiring/wiring.ts';
import type { CniRequest } from './request.ts';

export interface VerbContext {
  readonly wiring: Wiring;
  /** The node's network. Throws CniError (try again later) while there is none. */
  readonly node: (place: { readonly subnetFile: string; readonly bridge: string }) => NodeNetwork;
}

/** A request about one interface of one container. */
export type TargetRequest = Extract<CniRequest, { kind: 'add' | 'del' | 'check' }>;
