// Credentials of a kubeconfig that need more than files: exec plugins, OIDC, impersonation, a proxy. By Kubernetes' own client library, which is
// large: loaded only for such a user (ADR 0017).

import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { KubeCredentials } from './kube-access.ts';

export interface LibraryOptions {
  readonly text: string;
  /** Of the file: what it names is beside it. */
  readonly path: string;
  readonly context: string;
  readonly cluster: string;
  /** In place of the cluster's own. */
  readonly server: string;
  readonly hasUser: boolean;
  readonly hasProxy: boolean;
}

/** Without a user the library leaves out the cluster's CA too. */
const nobody = 'nobody (netloom)';

/** Throws when the library cannot read the file; what it says may quote a secret. */
export function libraryCredentials(options: LibraryOptions): () => Promise<KubeCredentials> {
  const { text, path, context, cluster, server, hasUser, hasProxy } = options;
  const config = new KubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute(dirname(resolve(path)));
  config.loadFromOptions({
    clusters: config.getClusters().map((one) => ({
      ...one,
      ...(one.name === cluster ? { server } : {}),
      // Its word for plain HTTP, where there is no TLS to verify.
      skipTLSVerify: one.skipTLSVerify || (one.name === cluster && server.startsWith('http:')),
    })),
    contexts: config
      .getContexts()
      .map((one) => (one.name === context && !hasUser ? { ...one, user: nobody } : one)),
    users: hasUser ? config.getUsers() : [...config.getUsers(), { name: nobody }],
    currentContext: context,
  });
  return async () => {
    const asked: RequestOptions = {};
    await config.applyToHTTPSOptions(asked);
    // Its agents keep the certificates of their first request; ours must see new ones.
    const agent = hasProxy && typeof asked.agent === 'object' ? { agent: asked.agent } : {};
    return { ...credentialsOf(asked), ...agent };
  };
}

function credentialsOf(options: RequestOptions): KubeCredentials {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name.toLowerCase()] = String(value);
  if (typeof options.auth === 'string')
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const isOne = (value: unknown): value is string | Buffer =>
    typeof value === 'string' || Buffer.isBuffer(value);
  return {
    headers,
    tls: {
      ...(isOne(ca) ? { ca } : {}),
      ...(isOne(cert) ? { cert } : {}),
      ...(isOne(key) ? { key } : {}),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      ...(servername === undefined ? {} : { servername }),
    },
  };
}
