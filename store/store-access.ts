// What stands between a node and its store behind a network, found by asking for each thing that the programs ask for, without writing. Only
// the shape: probe-store.ts asks, whoever reads it judges.

/**
 * `unreachable`: no answer. `distrusted`: TLS failed, by its certificates or ours. `stranger`: what we show is not believed, or cannot be had.
 * `denied`: it knows us and says no. `leaderless`: members answer, and agree on nothing. `full`: it takes no more writes. `no-config`,
 * `bad-config`: the network's configuration. `no-node`: no Node object of our name. `no-network`: the Node has no pod network that fits.
 */
export type AccessFaultKind =
  | 'unreachable'
  | 'distrusted'
  | 'stranger'
  | 'denied'
  | 'leaderless'
  | 'full'
  | 'no-config'
  | 'bad-config'
  | 'no-node'
  | 'no-network';

export interface AccessFault {
  readonly kind: AccessFaultKind;
  /** A server, a right ("patch nodes/status"), a key, a file, a Node. */
  readonly object: string;
  /** What was said. Without secrets. */
  readonly evidence: string;
  /** Others do in its place: a member of several, a right that is not needed. */
  readonly isBearable: boolean;
}

export interface StoreAccess {
  readonly kind: 'etcd' | 'kubernetes';
  readonly faults: readonly AccessFault[];
}
