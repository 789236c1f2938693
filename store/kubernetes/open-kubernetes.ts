// Opens leases and services of an API server: the part that is loaded when Kubernetes is chosen.
import type { LeaseStore } from '../lease-store.ts';
import type { ServiceSource } from '../service-source.ts';
import type { SourceSurroundings } from '../source-status.ts';
import { KubeClient } from './api/kube-client.ts';
import { type OpenAccessOptions, openAccess } from './api/open-access.ts';
import { KubernetesLeaseStore, type KubernetesLeaseStoreOptions } from './kubernetes-lease-store.ts';
import { createKubernetesServiceSource } from './kubernetes-service-source.ts';
import { followOwnNode } from './own-node.ts';

/** Rejects with StoreError when the settings, or the kubeconfig, cannot be used. The server need not answer yet. */
export async function openKubernetesLeases(
  access: OpenAccessOptions,
  options: Omit<KubernetesLeaseStoreOptions, 'client'>,
): Promise<LeaseStore> {
  const client = new KubeClient({ access: await openAccess(access), userAgent: 'netloom-agent' });
  return new KubernetesLeaseStore({ ...options, client });
}

export interface OpenKubernetesServicesOptions {
  /** Our own Node. */
  readonly node: string;
  readonly proxyName?: string | undefined;
  readonly retry?: { readonly min: number; readonly max: number };
  readonly onStatus?: SourceSurroundings['onStatus'] | undefined;
}

/** As openKubernetesLeases. The source also follows the node. */
export async function openKubernetesServices(
  access: OpenAccessOptions,
  { node: name, ...options }: OpenKubernetesServicesOptions,
): Promise<ServiceSource> {
  const client = new KubeClient({ access: await openAccess(access), userAgent: 'netloom-proxy' });
  const { retry } = options;
  const node = followOwnNode({ client, name, ...(retry === undefined ? {} : { retry }) });
  const source = createKubernetesServiceSource({ ...options, client });
  return {
    node,
    watch: (signal) => source.watch(signal),
    async close() {
      await node.close();
      await source.close();
    },
  };
}
