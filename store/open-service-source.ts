// Opens the source of services that was chosen. The directory is at hand; what talks to servers is loaded when it is chosen.
import { followOptions } from './directory/following.ts';
import { createServiceDirectory, type ServiceDirectoryOptions } from './directory/service-directory.ts';
import type { EtcdServiceSourceOptions } from './etcd/etcd-service-source.ts';
import type { OpenAccessOptions } from './kubernetes/api/open-access.ts';
import type { OpenKubernetesServicesOptions } from './kubernetes/open-kubernetes.ts';
import type { ServiceSource } from './service-source.ts';
import type { SourceSurroundings } from './source-status.ts';

export type ServiceSourceChoice =
  | ({ readonly kind: 'directory' } & Pick<ServiceDirectoryOptions, 'directory' | 'watch' | 'pollMs'>)
  | ({ readonly kind: 'etcd' } & EtcdServiceSourceOptions)
  | ({
      readonly kind: 'kubernetes';
      readonly access: OpenAccessOptions;
    } & Pick<OpenKubernetesServicesOptions, 'node' | 'proxyName'>);

/** Rejects with StoreError `invalid` when a file that the choice names cannot be read. */
export async function openServiceSource(
  choice: ServiceSourceChoice,
  surroundings: SourceSurroundings = {},
): Promise<ServiceSource> {
  switch (choice.kind) {
    case 'directory':
      return createServiceDirectory({ ...choice, ...followOptions(choice.directory, surroundings) });
    case 'etcd': {
      const { EtcdServiceSource } = await import('./etcd/etcd-service-source.ts');
      return new EtcdServiceSource(choice, surroundings);
    }
    case 'kubernetes': {
      const { openKubernetesServices } = await import('./kubernetes/open-kubernetes.ts');
      return openKubernetesServices(choice.access, { ...choice, onStatus: surroundings.onStatus });
    }
    default:
      return choice satisfies never;
  }
}
