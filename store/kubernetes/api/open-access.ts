// Which API server to talk to, and with what, from what the operator said: a kubeconfig, an address, or nothing in a pod.
import { StoreError } from '../../store-error.ts';
import { inClusterAccess } from './in-cluster-access.ts';
import type { KubeAccess } from './kube-access.ts';
import { serverUrl } from './server-url.ts';

export interface OpenAccessOptions {
  /** Path of a kubeconfig. */
  readonly kubeconfig?: string | undefined;
  /** Instead of the kubeconfig's server; alone: without any credentials. */
  readonly server?: string | undefined;
  /** What kubelet tells a pod; undefined outside of one. */
  readonly pod?: { readonly host: string; readonly port: string } | undefined;
}

/** Rejects with StoreError `invalid` that names what is wrong. */
export async function openAccess({ kubeconfig, server, pod }: OpenAccessOptions): Promise<KubeAccess> {
  if (kubeconfig !== undefined) {
    // The library behind it is large: who runs in a pod never loads it.
    const { openKubeconfig } = await import('./kubeconfig-access.ts');
    return openKubeconfig(kubeconfig, { server });
  }
  if (server !== undefined) {
    const plain = serverUrl(server, 'kube-api-url');
    return { server: plain, credentials: async () => ({ headers: {}, tls: {} }), refused() {} };
  }
  if (pod !== undefined) return inClusterAccess(pod);
  throw new StoreError('Cannot find the API server', {
    code: 'invalid',
    object: 'kubeconfig',
    problems: [
      {
        field: '',
        message:
          'no kubeconfig and no address is given, and KUBERNETES_SERVICE_HOST says that this is no pod',
      },
    ],
  });
}
