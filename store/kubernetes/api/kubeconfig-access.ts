// Access by a kubeconfig. Tokens, certificates and passwords are read here, anew for each request; what needs more, such as a plugin, is left to
// Kubernetes' own client library, which is loaded for it (ADR 0017). Ours: errors that name the field and show no secret, and reading a changed
// file anew.
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { checkShape } from '../../go-json.ts';
import { type FieldProblem, quote, StoreError } from '../../store-error.ts';
import type { KubeAccess, KubeCredentials } from './kube-access.ts';
import { serverUrl } from './server-url.ts';

const named = z.object({ name: z.string() });

const optionalText = z.string().nullish();

const userShape = z.looseObject({
  token: optionalText,
  tokenFile: optionalText,
  'client-certificate': optionalText,
  'client-certificate-data': optionalText,
  'client-key': optionalText,
  'client-key-data': optionalText,
  username: optionalText,
  password: optionalText,
});

const clusterShape = z.looseObject({
  server: z.string(),
  'certificate-authority': optionalText,
  'certificate-authority-data': optionalText,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'tls-server-name': optionalText,
  // What changes nothing for us.
  'disable-compression': z.unknown().optional(),
  extensions: z.unknown().optional(),
});

const fileShape = z.object({
  'current-context': z.string().min(1, 'a name'),
  contexts: z.array(
    named.extend({ context: z.object({ cluster: z.string(), user: z.string().optional() }) }),
  ),
  clusters: z.array(named.extend({ cluster: clusterShape })),
  users: z.array(named.extend({ user: userShape.nullish() })).nullish(),
});

type ClusterFields = z.infer<typeof clusterShape>;
type UserFields = z.infer<typeof userShape>;

/** A kubeconfig as it was at one moment. */
interface Loaded {
  readonly stamp: string;
  readonly server: string;
  readonly credentials: () => Promise<KubeCredentials>;
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
      const { credentials } = await current();
      try {
        return await credentials();
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

/** True when we know every field: those of plugins, OIDC, impersonation and proxies are the library's. */
function isPlain(cluster: ClusterFields, user: UserFields): boolean {
  const isKnown = (fields: object, shape: object) =>
    Object.entries(fields).every(([name, value]) => value === null || Object.hasOwn(shape, name));
  return isKnown(cluster, clusterShape.shape) && isKnown(user, userShape.shape);
}

/** As client-go: what is in the file itself goes before what it names, a token's file before the token. */
function plainCredentials(
  cluster: ClusterFields,
  user: UserFields,
  directory: string,
): () => Promise<KubeCredentials> {
  const read = (file: string) => readFile(resolve(directory, file));
  const pem = async (name: string, data: string | null | undefined, file: string | null | undefined) => {
    if (data) return { [name]: Buffer.from(data, 'base64') };
    return file ? { [name]: await read(file) } : {};
  };
  return async () => {
    const { token, tokenFile, username, password } = user;
    const bearer = tokenFile ? (await read(tokenFile)).toString('utf8').trim() : token;
    const basic = username ? `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` : '';
    const authorization = bearer ? `Bearer ${bearer}` : basic;
    const name = cluster['tls-server-name'];
    return {
      headers: authorization === '' ? {} : { authorization },
      tls: {
        ...(await pem('ca', cluster['certificate-authority-data'], cluster['certificate-authority'])),
        ...(await pem('cert', user['client-certificate-data'], user['client-certificate'])),
        ...(await pem('key', user['client-key-data'], user['client-key'])),
        ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
        ...(name ? { servername: name } : {}),
      },
    };
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
  const url = serverUrl(server ?? cluster.server, path);
  const fields = user?.user ?? {};
  if (isPlain(cluster, fields))
    return { stamp, server: url, credentials: plainCredentials(cluster, fields, dirname(resolve(path))) };
  const { libraryCredentials } = await import('./kubeconfig-library.ts');
  let credentials: () => Promise<KubeCredentials>;
  try {
    credentials = libraryCredentials({
      ...{ text, path, context: name, cluster: context.cluster, server: url },
      ...{ hasUser: user !== undefined, hasProxy: cluster['proxy-url'] !== undefined },
    });
  } catch {
    throw fail('', 'it is not one that Kubernetes’ client can read');
  }
  return { stamp, server: url, credentials: withTokenFile(credentials, fields, path) };
}

/** The library knows "token-file" only. */
function withTokenFile(
  credentials: () => Promise<KubeCredentials>,
  { tokenFile }: UserFields,
  path: string,
): () => Promise<KubeCredentials> {
  if (!tokenFile) return credentials;
  return async () => {
    const { headers, ...rest } = await credentials();
    const token = (await readFile(resolve(dirname(path), tokenFile), 'utf8')).trim();
    return { ...rest, headers: { ...headers, authorization: `Bearer ${token}` } };
  };
}

function whyUnreadable(error: unknown): string {
  const { code } = Object(error);
  return code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${String(code)}`;
}
