// Asks the servers of a node's stores for each thing that its programs need. What talks to servers is loaded when there is one.
import type { LeaseStoreChoice } from './open-lease-store.ts';
import type { ServiceSourceChoice } from './open-service-source.ts';
import type { StoreAccess } from './store-access.ts';

export interface ProbeStoreOptions {
  /** Name of the Node that is ours. */
  readonly node: string;
  /** Undefined: no agent's. */
  readonly leases?: LeaseStoreChoice | undefined;
  /** Undefined: there is no proxy. */
  readonly services?: ServiceSourceChoice | undefined;
  readonly signal: AbortSignal;
}

/** One for each store that is behind a network; a directory has nothing to ask. Rejects only when the signal aborts. */
export async function probeStores(options: ProbeStoreOptions): Promise<readonly StoreAccess[]> {
  const { node, leases, services, signal } = options;
  const found: StoreAccess[] = [];
  for (const choice of [leases, services]) {
    switch (choice?.kind) {
      case 'etcd': {
        const { probeEtcd } = await import('./etcd/probe-etcd.ts');
        found.push(await probeEtcd(choice, { writes: choice === leases, signal }));
        break;
      }
      case 'kubernetes': {
        const { probeKubernetes } = await import('./kubernetes/probe-kubernetes.ts');
        found.push(
          choice === leases
            ? await probeKubernetes({ access: choice.access, node, leases, signal })
            : await probeKubernetes({ access: choice.access, node, signal }),
        );
        break;
      }
      case 'directory':
      case undefined:
        break;
      default:
        choice satisfies never;
    }
  }
  return found;
}
