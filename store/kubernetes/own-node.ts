// Follows one Node: the proxy's own. Where it is (zone), its pod networks, and whether load balancers should still send it anything.
import type { NodeSource, NodeState } from '../service-source.ts';
import type { ApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';
import { listWatch } from './api/list-watch.ts';
import { flannelPrefix } from './node-lease.ts';
import { type KubeNode, parseNode } from './parse-node.ts';

export interface OwnNodeOptions {
  /** Not closed with this. */
  readonly client: KubeClient;
  readonly name: string;
  readonly retry?: { readonly min: number; readonly max: number };
  readonly onTrouble?: (error: ApiError | undefined) => void;
}

export interface OwnNode extends NodeSource {
  close(): Promise<void>;
}

export function followOwnNode({ client, name, retry, onTrouble = () => {} }: OwnNodeOptions): OwnNode {
  const abort = new AbortController();
  const listeners = new Set<(state: NodeState) => void>();
  // While the server is away, and before its first word, the node serves: an outage must not empty the load balancers.
  let state: NodeState = { isKnown: false, isEligible: true, zone: undefined, podNetworks: [] };
  const set = (node: KubeNode | undefined): void => {
    const next: NodeState = {
      isKnown: true,
      isEligible: node !== undefined && !node.isGoing,
      zone: node === undefined ? state.zone : node.zone,
      podNetworks: node === undefined ? state.podNetworks : node.podNetworks,
    };
    const isSame =
      state.isKnown &&
      next.isEligible === state.isEligible &&
      next.zone === state.zone &&
      next.podNetworks.join() === state.podNetworks.join();
    if (isSame) return;
    state = next;
    for (const listener of listeners) listener(next);
  };
  const following = listWatch<KubeNode | undefined>(
    {
      client,
      path: '/api/v1/nodes',
      query: { fieldSelector: `metadata.name=${name}` },
      read: (object) => parseNode(object, flannelPrefix),
      listener: {
        replace: (nodes) => set(nodes.find((node) => node?.name === name)),
        put: (node) => {
          if (node?.name === name) set(node);
        },
        remove: (node) => {
          if (node?.name === name) set(undefined);
        },
        trouble: onTrouble,
      },
      ...(retry === undefined ? {} : { retry }),
    },
    abort.signal,
  );
  return {
    get state() {
      return state;
    },
    listen(onChange) {
      listeners.add(onChange);
    },
    async close() {
      abort.abort(new Error('The node is not followed any more'));
      await following;
    },
  };
}
