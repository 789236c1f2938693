// What flannel and kube-proxy ask of a store, computed from what their code does: nothing of them runs here. Pure.
// Each figure says where it comes from; docs/scale.md shows the arithmetic.

import type { ScaleStoreName } from './scale-store.ts';

/** flannel in etcd renews an hour before its day is over: a Grant and a Put (pkg/subnet/etcd, --subnet-lease-renew-margin). */
const flannelRenewSeconds = 23 * 3600;
/** Netloom's --lease-renew-interval, less an eighth: up to a quarter is taken off by chance. */
const renewSeconds = 3600 * (1 - 0.25 / 2);
/** kubelet's nodeStatusReportFrequency: it writes a status that has not changed so often. */
const heartbeatSeconds = 300;
/** Watches of Kubernetes' clients end after 5 to 10 minutes and are begun anew. */
const watchSeconds = 450;

/** Requests for a start: the config, one list, and the time to live of each lease in it (registry.go); then grant, claim and watch. */
export function flannelEtcdStart(nodes: number): number {
  return 2 + nodes + 3;
}

export interface RestLoad {
  /** A second, of all nodes. */
  readonly requests: number;
  /** Changes that are sent to watchers, a second, over all watchers. */
  readonly events: number;
}

/** Every renewal of flannel's is a write, which all nodes hear. */
export function flannelEtcdRest(nodes: number): RestLoad {
  const renewals = nodes / flannelRenewSeconds;
  return { requests: renewals * 2, events: renewals * nodes };
}

/** An informer of Nodes on every node: each status of each kubelet goes to all of them. flannel's and Netloom's are alike in that. */
export function nodeInformerRest(nodes: number): RestLoad {
  return { requests: nodes / watchSeconds, events: (nodes / heartbeatSeconds) * nodes };
}

export interface NodeAtRest {
  readonly nodes: number;
  /** What one asks in a second without a renewal, as measured. */
  readonly requests: number;
  /** What one renewal asks, as measured. */
  readonly renewal: number;
}

/** Requests a second of all nodes of a cluster. A minute of rest sees no watch of the API server end: those are added. */
export function clusterAtRest(
  store: ScaleStoreName,
  { nodes, requests, renewal }: NodeAtRest,
): { readonly ours: number; readonly flannel: number } {
  const informer = nodeInformerRest(nodes).requests;
  const own = nodes * (requests + renewal / renewSeconds);
  return store === 'kubernetes'
    ? { ours: own + informer, flannel: informer }
    : { ours: own, flannel: flannelEtcdRest(nodes).requests };
}

/** How a client waits between two attempts. */
export interface ReconnectPolicy {
  /** Milliseconds until attempt `failures` + 1, counted from 1. */
  readonly wait: (failures: number, random: () => number) => number;
}

/** flannel's watch of etcd: 100 ms, doubled up to 5 s. */
export const flannelEtcdPolicy: ReconnectPolicy = {
  wait: (failures) => Math.min(5000, 100 * 2 ** (failures - 1)),
};

/** client-go's reflector, which flannel and kube-proxy use: 0.8 s, doubled up to 30 s, and up to as much again at random. */
export const reflectorPolicy: ReconnectPolicy = {
  wait: (failures, random) => Math.min(30_000, 800 * 2 ** (failures - 1)) * (1 + random()),
};

export interface ReconnectOptions {
  readonly clients: number;
  /** Milliseconds that the store is away. */
  readonly outage: number;
  /** Seconds that are looked at. */
  readonly seconds: number;
  readonly random: () => number;
}

export interface Reconnects {
  /** Attempts to connect in each second since the store went away. */
  readonly attempts: readonly number[];
  /** Most attempts within any tenth of a second once it is back. */
  readonly burst: number;
  /** Milliseconds after its return until the last one has reached it. */
  readonly allBack: number;
}

/** Clients that lose the store at one moment and try again as the policy says, until it is there. */
export function reconnects(
  { wait }: ReconnectPolicy,
  { clients, outage, seconds, random }: ReconnectOptions,
): Reconnects {
  const attempts = Array.from({ length: seconds }, () => 0);
  const returns = new Map<number, number>();
  let last = outage;
  for (let client = 0; client < clients; client++) {
    let failures = 0;
    for (let at = 0; ; ) {
      const second = Math.floor(at / 1000);
      attempts[second] = (attempts[second] ?? 0) + (second < seconds ? 1 : 0);
      if (at >= outage) {
        const tenth = Math.floor(at / 100);
        returns.set(tenth, (returns.get(tenth) ?? 0) + 1);
        last = Math.max(last, at);
        break;
      }
      failures++;
      at += wait(failures, random);
    }
  }
  return {
    attempts: attempts.slice(0, seconds),
    burst: Math.max(0, ...returns.values()),
    allBack: last - outage,
  };
}

/** Numbers in [0, 1) that are the same in every run (a linear congruence, Numerical Recipes' constants). */
export function repeatable(seed = 1): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
