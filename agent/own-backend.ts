// A backend that this node has in place of the network configuration's: how a cluster is changed node by node. Nodes of different backends
// talk by plain routes meanwhile (backend/unlike-backends.ts).
import { type BackendConfig, decodeBackendConfig } from '../store/backend-config.ts';
import type { LeaseSnapshot } from '../store/lease-store.ts';
import type { NetworkConfig } from '../store/network-config.ts';

/** Those between which plain routes are possible. Not "wireguard": that is for all nodes at once. */
export const ownBackends = ['vxlan', 'host-gw', 'ipip'] as const;

export type OwnBackend = (typeof ownBackends)[number];

/** With the options of the network's configuration where that is of the same type, else with the type's defaults. */
function backendOf(type: OwnBackend, { backend }: NetworkConfig): BackendConfig {
  return (backend.kind === type ? backend : decodeBackendConfig({ Type: type }, [])) ?? backend;
}

/** Puts the backend into the configuration of snapshots: into one object as long as the store's configuration is one. */
export function createBackendChanger(
  type: OwnBackend | undefined,
): (snapshot: LeaseSnapshot) => LeaseSnapshot {
  let from: NetworkConfig | undefined;
  let to: NetworkConfig | undefined;
  return (snapshot) => {
    const { config } = snapshot;
    if (type === undefined || config === undefined) return snapshot;
    if (config !== from) {
      from = config;
      to = { ...config, backend: backendOf(type, config) };
    }
    return { ...snapshot, config: to };
  };
}
