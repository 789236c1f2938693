// Opens the store of leases that was chosen. The directory is at hand; what talks to servers is loaded when it is chosen.
import { DirectoryLeaseStore, type DirectoryLeaseStoreOptions } from './directory/directory-lease-store.ts';
import { followOptions } from './directory/following.ts';
import type { EtcdLeaseStoreOptions } from './etcd/etcd-lease-store.ts';
import type { OpenAccessOptions } from './kubernetes/api/open-access.ts';
import type { KubernetesLeaseStoreOptions } from './kubernetes/kubernetes-lease-store.ts';
import type { LeaseStore } from './lease-store.ts';
import type { SourceSurroundings } from './source-status.ts';

export type LeaseStoreChoice =
  | ({ readonly kind: 'directory' } & Pick<
      DirectoryLeaseStoreOptions,
      'directory' | 'ttlMs' | 'watch' | 'pollMs'
    >)
  | ({ readonly kind: 'etcd' } & Pick<
      EtcdLeaseStoreOptions,
      'prefix' | 'ttlMs' | 'endpoints' | 'tls' | 'user'
    >)
  | ({ readonly kind: 'kubernetes'; readonly access: OpenAccessOptions } & Pick<
      KubernetesLeaseStoreOptions,
      'configPath' | 'annotationPrefix' | 'setsCondition'
    >);

/** Rejects with StoreError `invalid` when a file that the choice names cannot be read. */
export async function openLeaseStore(
  choice: LeaseStoreChoice,
  surroundings: SourceSurroundings = {},
): Promise<LeaseStore> {
  switch (choice.kind) {
    case 'directory':
      return new DirectoryLeaseStore({ ...choice, ...followOptions(choice.directory, surroundings) });
    case 'etcd': {
      const { EtcdLeaseStore } = await import('./etcd/etcd-lease-store.ts');
      return new EtcdLeaseStore(choice, surroundings);
    }
    case 'kubernetes': {
      const { access, ...options } = choice;
      const { openKubernetesLeases } = await import('./kubernetes/open-kubernetes.ts');
      return openKubernetesLeases(access, { ...options, onStatus: surroundings.onStatus });
    }
    default:
      return choice satisfies never;
  }
}

/** How messages name it. */
export function leaseStoreName(choice: LeaseStoreChoice): string {
  switch (choice.kind) {
    case 'directory':
      return choice.directory;
    case 'etcd':
      return choice.endpoints.join(', ');
    case 'kubernetes':
      return 'the Node objects of the API server';
    default:
      return choice satisfies never;
  }
}
