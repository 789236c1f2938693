// Access by a kubeconfig, read by Kubernetes' own client library: contexts, certificates, exec plugins, OIDC, proxies. Loaded only when
// there is a kubeconfig (ADR 0017). Ours: errors that name the field and show no secret, "tokenFile", and reading a changed file anew.
import { readFile, stat } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { checkShape } from '../../go-json.ts';
import { type FieldProblem, quote, StoreError } from '../../store-error.ts';
import type { KubeAccess, KubeCredentials } from './kube-access.ts';
import { serverUrl } from './server-url.ts';

const named = z.object({ name: z.string() });

/** What we look at ourselves; the library reads the rest. */
const fileShape = z.object({
  'current-context': z.string().min(1, 'a name'),
  contexts: z.array(
    named.extend({ context: z.object({ cluster: z.string(), user: z.string().optional() }) }),
  ),
  clusters: z.array(
    named.extend({
      cluster: z.object({ server: z.string(), 'proxy-url': z.string().optional() }),
    }),
  ),
  users: z.array(named.extend({ user: z.object({ tokenFile: z.string().optional() }).nullish() })).nullish(),
});

/** A kubeconfig as it was at one moment. */
interface Loaded {
  readonly stamp: string;
  readonly config: KubeConfig;
  readonly server: string;
  readonly tokenFile: string | undefined;
  readonly hasProxy: boolean;
}

/** Rejects with StoreError `invalid` when the file cannot be used. `server` takes the place of the one in it. */
export async function openKubeconfig(
  path: string,
  { server }: { readonly server?: string | undefined } = {},
): Promise<KubeAccess> {
  let loaded = await load(path, { server });

  /** The last good one stays while the file is gone or wrong: somebody is about to write it. */
  async function current(): Promise<Loaded> {
    try {
      if ((await stampOf(path)) !== loaded.stamp) {
        const next = await load(path, { server });
        // Requests go on to the server that they began with.
        if (next.server === loaded.server) loaded = next;
      }
    } catch {
      return loaded;
    }
    return loaded;
  }

  return {
    server: loaded.server,
    async credentials() {
      const { config, tokenFile, hasProxy } = await current();
      const options: RequestOptions = {};
      try {
        await config.applyToHTTPSOptions(options);
        const { headers, tls } = credentialsOf(options);
        if (tokenFile !== undefined)
          headers['authorization'] = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
        // Its agents keep the certificates of their first request; ours must see new ones.
        const agent = hasProxy && typeof options.agent === 'object' ? { agent: options.agent } : {};
        return { headers, tls, ...agent };
      } catch (cause) {
        throw unusable(path, [{ field: 'users', message: whyNoCredentials(cause) }], 'unavailable');
      }
    },
    refused() {
      // Exec plugins and OIDC keep what they were given until it ends: a fresh configuration asks again.
      loaded = { ...loaded, stamp: '' };
    },
  };
}

/** A plugin's own words may hold its secret: only what the system says is shown. */
function whyNoCredentials(error: unknown): string {
  const { code, path, syscall } = Object(error);
  if (typeof code !== 'string' || !/^[A-Z_]{2,40}$/.test(code)) return 'the credentials cannot be had';
  const what = typeof path === 'string' ? ` ${quote(path)}` : '';
  return `the credentials cannot be had: ${typeof syscall === 'string' ? `${syscall}${what}: ` : ''}${code}`;
}

function credentialsOf(options: RequestOptions): {
  headers: Record<string, string>;
  tls: KubeCredentials['tls'];
} {
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

async function stampOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path);
  return `${mtimeMs} ${size} ${ino}`;
}

function unusable(
  path: string,
  problems: readonly FieldProblem[],
  code: 'invalid' | 'unavailable' = 'invalid',
): StoreError {
  return new StoreError(`Cannot use kubeconfig "${path}"`, { code, object: path, problems });
}

async function load(path: string, { server }: { readonly server: string | undefined }): Promise<Loaded> {
  const fail = (field: string, message: string) => unusable(path, [{ field, message }]);
  let text: string;
  let stamp: string;
  try {
    stamp = await stampOf(path);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw fail('', whyUnreadable(error));
  }
  const document = parseDocument(text);
  const [wrong] = document.errors;
  // Not its message: that quotes the file.
  if (wrong !== undefined)
    throw fail('', `it is not YAML: ${wrong.code} in line ${wrong.linePos?.[0].line ?? '?'}`);
  const { data, problems } = checkShape(fileShape, document.toJS());
  // Nor what a field holds: it may be a token that slipped.
  if (data === undefined)
    throw unusable(
      path,
      problems.map(({ field, message }) => ({ field, message: message.replace(/, not ".*/s, '') })),
    );
  const name = data['current-context'];
  const context = data.contexts.find((one) => one.name === name)?.context;
  if (context === undefined) throw fail('current-context', `there is no context ${quote(name)}`);
  const cluster = data.clusters.find((one) => one.name === context.cluster)?.cluster;
  if (cluster === undefined) throw fail('contexts', `there is no cluster ${quote(context.cluster)}`);
  const user = data.users?.find((one) => one.name === context.user);
  if (context.user !== undefined && context.user !== '' && user === undefined)
    throw fail('contexts', `there is no user ${quote(context.user)}`);
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(resolve(path)));
  } catch {
    throw fail('', 'it is not one that Kubernetes’ client can read');
  }
  const url = serverUrl(server ?? cluster.server, path);
  config.loadFromOptions({
    clusters: config.getClusters().map((one) => ({
      ...one,
      ...(one.name === context.cluster ? { server: url } : {}),
      // Its word for plain HTTP, where there is no TLS to verify.
      skipTLSVerify: one.skipTLSVerify || (one.name === context.cluster && url.startsWith('http:')),
    })),
    contexts: config
      .getContexts()
      .map((one) => (one.name === name && user === undefined ? { ...one, user: nobody } : one)),
    users: user === undefined ? [...config.getUsers(), { name: nobody }] : config.getUsers(),
    currentContext: name,
  });
  const tokenFile = user?.user?.tokenFile;
  return {
    stamp,
    config,
    server: url,
    tokenFile: tokenFile === undefined ? undefined : resolve(dirname(path), tokenFile),
    hasProxy: cluster['proxy-url'] !== undefined,
  };
}

/** Without a user the library leaves out the cluster's CA too. */
const nobody = 'nobody (netloom)';

function whyUnreadable(error: unknown): string {
  const { code } = Object(error);
  return code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${String(code)}`;
}
