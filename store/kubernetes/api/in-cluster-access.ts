// Access of a pod: the API server by the environment that kubelet gives, the token and the CA by the files that it mounts and renews.
// No library: three files, and what the client's own loader keeps of them for a minute is what rotation must not keep.
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { StoreError } from '../../store-error.ts';
import type { KubeAccess } from './kube-access.ts';

/** Where kubelet mounts the service account of a pod. */
export const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface InClusterOptions {
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly host: string;
  readonly port: string;
  readonly directory?: string;
}

export function inClusterAccess({
  host,
  port,
  directory = serviceAccountDirectory,
}: InClusterOptions): KubeAccess {
  const read = async (name: string): Promise<string> => {
    const path = join(directory, name);
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new StoreError(`Cannot read the service account's "${path}"`, {
        code: 'unavailable',
        object: path,
        problems: [{ field: '', message: 'is the pod started with automountServiceAccountToken: false?' }],
        cause,
      });
    }
  };
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    async credentials() {
      const [token, ca] = await Promise.all([read('token'), read('ca.crt')]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
    refused() {},
  };
}
