// A small API server for tests, on loopback: lists in pages, watches with bookmarks, 410, patches, the status subresource, TLS, tokens, client
// certificates and RBAC, and whatever goes wrong on the way. It keeps all history, unless it is told to forget. Past 300 lines: one server, its storage, its
// answers and its faults are one state.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { RbacRule } from './rbac-rules.ts';

export interface ApiObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** What is served, by the name in paths. */
const resources: Readonly<
  Record<string, { readonly group: string; readonly kind: string; readonly isNamespaced: boolean }>
> = {
  nodes: { group: '', kind: 'Node', isNamespaced: false },
  services: { group: '', kind: 'Service', isNamespaced: true },
  endpointslices: { group: 'discovery.k8s.io', kind: 'EndpointSlice', isNamespaced: true },
  events: { group: '', kind: 'Event', isNamespaced: true },
  secrets: { group: '', kind: 'Secret', isNamespaced: true },
  selfsubjectaccessreviews: {
    group: 'authorization.k8s.io',
    kind: 'SelfSubjectAccessReview',
    isNamespaced: false,
  },
};

interface Change {
  readonly version: number;
  readonly resource: string;
  readonly before: ApiObject | undefined;
  readonly after: ApiObject | undefined;
}

interface Target {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

interface Watcher {
  readonly resource: string;
  readonly matches: (object: ApiObject) => boolean;
  readonly wantsBookmarks: boolean;
  readonly response: ServerResponse;
}

export interface SeenRequest {
  readonly verb: string;
  readonly resource: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** What to do to a request in place of answering it; undefined: answer. */
export type Fault =
  | 'hang'
  | 'reset'
  | 'garbage'
  | 'half'
  | number
  | { readonly status: number; readonly retryAfter: number };

/** What the server shows, and whose certificates of clients it believes. PEM. */
export interface ServerTls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  readonly clientCa?: string | Buffer;
}

export class FakeApiServer implements AsyncDisposable {
  readonly #server: Server | SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly #objects = new Map<string, Map<string, ApiObject>>();
  readonly #history: Change[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #pages = new Map<string, { readonly items: readonly ApiObject[]; readonly version: number }>();
  #version = 100;
  #oldest = 0;
  #port = 0;
  /** By token, and by the name in a client's certificate: who may do what. None at all: everybody may do everything. */
  readonly tokens = new Map<string, readonly RbacRule[]>();
  readonly users = new Map<string, readonly RbacRule[]>();
  /** Whether everybody may ask what he may do (system:basic-user). */
  hasReviews = true;
  readonly requests: SeenRequest[] = [];
  /** Pages are no larger than this, whatever is asked for. */
  largestPage = Number.POSITIVE_INFINITY;
  fault: (request: SeenRequest) => Fault | undefined = () => undefined;

  private constructor(tls: ServerTls | undefined) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch(() => response.destroy());
    };
    this.#server = tls === undefined ? createServer(answer) : createSecureServer(secureOptions(tls), answer);
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start({ tls }: { readonly tls?: ServerTls } = {}): Promise<FakeApiServer> {
    const server = new FakeApiServer(tls);
    await server.listen();
    return server;
  }

  get url(): string {
    return `${this.#secure === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  get #secure(): SecureServer | undefined {
    return 'setSecureContext' in this.#server ? this.#server : undefined;
  }

  /** For connections from now on. */
  setTls(tls: ServerTls): void {
    this.#secure?.setSecureContext(secureOptions(tls));
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Again on its port, after `stop`. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    if (isPort(address)) this.#port = address.port;
  }

  /** As a server that dies: all connections are reset. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) reset(socket);
    this.#watchers.clear();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Creates or replaces. */
  put(resource: string, object: ApiObject): ApiObject {
    const key = keyOf(object);
    const kept = this.#all(resource);
    const before = kept.get(key);
    const version = ++this.#version;
    const after: ApiObject = {
      ...object,
      metadata: {
        uid: `uid-${version}`,
        creationTimestamp: '2026-01-01T00:00:00Z',
        managedFields: [{ manager: 'test', fieldsV1: { 'f:spec': {} } }],
        ...(before === undefined ? {} : { uid: before.metadata['uid'] }),
        ...object.metadata,
        resourceVersion: String(version),
      },
    };
    kept.set(key, after);
    this.#note({ version, resource, before, after });
    return after;
  }

  delete(resource: string, key: string): void {
    const before = this.#all(resource).get(key);
    if (before === undefined) return;
    this.#all(resource).delete(key);
    this.#note({ version: ++this.#version, resource, before, after: undefined });
  }

  get(resource: string, key: string): ApiObject | undefined {
    return this.#all(resource).get(key);
  }

  list(resource: string): readonly ApiObject[] {
    return [...this.#all(resource).values()];
  }

  /** Forgets the history: older watches and pages get 410. */
  compact(): void {
    this.#oldest = this.#version;
    this.#pages.clear();
  }

  /** Tells every watcher how far history has come, as the real one does each minute. */
  bookmark(): void {
    this.#version++;
    for (const { resource, wantsBookmarks, response } of this.#watchers) {
      if (!wantsBookmarks) continue;
      const { kind } = resources[resource] ?? {};
      write(response, 'BOOKMARK', { kind, metadata: { resourceVersion: String(this.#version) } });
    }
  }

  /** Breaks all watches off; `how` ends them in the middle of a line, resets them, or sends an error. */
  breakWatches(how: 'end' | 'half' | 'reset' | number): void {
    for (const watcher of this.#watchers) {
      const { response } = watcher;
      this.#watchers.delete(watcher);
      if (how === 'reset') reset(response.socket);
      else if (how === 'half') response.end('{"type":"ADDED","object":{"metadata":{"na');
      else if (how === 'end') response.end();
      else {
        write(
          response,
          'ERROR',
          statusObject(how, { reason: how === 410 ? 'Expired' : 'InternalError', message: 'told to' }),
        );
        response.end();
      }
    }
  }

  #all(resource: string): Map<string, ApiObject> {
    let all = this.#objects.get(resource);
    if (all === undefined) {
      all = new Map();
      this.#objects.set(resource, all);
    }
    return all;
  }

  #note(change: Change): void {
    this.#history.push(change);
    for (const watcher of this.#watchers) tell(watcher, change);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<undefined> {
    const url = new URL(request.url ?? '/', this.url);
    const target = targetOf(url.pathname);
    const text = await bodyOf(request);
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    // Go's clients write it out.
    const isWatch = ['1', 'true'].includes(url.searchParams.get('watch') ?? '');
    const verb = verbOf(request.method ?? 'GET', { isWatch, hasName: target?.name !== undefined });
    const seen: SeenRequest = {
      verb,
      resource: target === undefined ? '' : [target.resource, target.subresource].filter(Boolean).join('/'),
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
    };
    this.requests.push(seen);
    if (this.#isRefused(seen, { target, user: certificateNameOf(request) }, response)) return;
    if (this.#isBroken(this.fault(seen), response)) return;
    if (url.pathname === '/version') return reply(response, 200, { major: '1', minor: '36' });
    if (target === undefined)
      return refuse(response, 404, { message: 'the server could not find the requested resource' });
    switch (verb) {
      case 'get':
        return this.#answerOne(target, response);
      case 'list':
        return this.#answerList(target, url.searchParams, response);
      case 'watch':
        return this.#answerWatch(target, url.searchParams, response);
      case 'patch':
        return this.#answerPatch(
          target,
          { body, query: url.searchParams, type: request.headers['content-type'] ?? '' },
          response,
        );
      case 'create':
        if (target.resource === 'selfsubjectaccessreviews')
          return this.#answerReview(request, body, response);
        return this.#answerCreate(target, { body, query: url.searchParams }, response);
      default:
        return refuse(response, 405, { message: `${verb} is not served` });
    }
  }

  /** Undefined: a token that nobody has. */
  #rulesOf(
    headers: IncomingMessage['headers'],
    user: string | undefined,
  ): { readonly name: string; readonly rules: readonly RbacRule[] } | undefined {
    const { authorization } = headers;
    if (authorization !== undefined) {
      const rules = this.tokens.get(authorization.replace(/^Bearer /, ''));
      return rules === undefined ? undefined : { name: 'netloom', rules };
    }
    const rules = user === undefined ? undefined : this.users.get(user);
    return rules === undefined
      ? { name: user ?? 'system:anonymous', rules: [] }
      : { name: String(user), rules };
  }

  /** 401 and 403 as the real one says them: who shows nothing is anonymous. */
  #isRefused(
    { verb, resource, path, headers }: SeenRequest,
    { target, user }: { readonly target: Target | undefined; readonly user: string | undefined },
    response: ServerResponse,
  ): boolean {
    if (this.tokens.size === 0 && this.users.size === 0) return false;
    const known = this.#rulesOf(headers, user);
    if (known === undefined) {
      refuse(response, 401, { reason: 'Unauthorized', message: 'Unauthorized' });
      return true;
    }
    const group = resources[target?.resource ?? '']?.group ?? '';
    const isReview = resource === 'selfsubjectaccessreviews' && known.name !== 'system:anonymous';
    if (path === '/version' || (isReview && this.hasReviews)) return false;
    if (allows(known.rules, { group, resource, verb })) return false;
    refuse(response, 403, {
      reason: 'Forbidden',
      message: `${resource} is forbidden: User "${known.name}" cannot ${verb} resource "${resource}" in API group "${group}" at the cluster scope`,
    });
    return true;
  }

  #isBroken(fault: Fault | undefined, response: ServerResponse): boolean {
    switch (fault) {
      case undefined:
        return false;
      case 'hang':
        return true;
      case 'reset':
        reset(response.socket);
        return true;
      case 'garbage':
        response.end('<html>a proxy in between</html>');
        return true;
      case 'half':
        response.writeHead(200, { 'content-length': 1000 });
        response.write('{"kind":"List","items":[');
        setTimeout(() => reset(response.socket), 5);
        return true;
      default: {
        const { status, retryAfter } =
          typeof fault === 'number' ? { status: fault, retryAfter: undefined } : fault;
        if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter));
        refuse(response, status, {
          message: `told to answer ${status}`,
          reason: status === 410 ? 'Expired' : 'Told',
        });
        return true;
      }
    }
  }

  #answerOne({ resource, namespace, name }: Target, response: ServerResponse): undefined {
    const object = this.#all(resource).get(namespace === undefined ? String(name) : `${namespace}/${name}`);
    if (object === undefined)
      return refuse(response, 404, { reason: 'NotFound', message: `${resource} "${name}" not found` });
    return reply(response, 200, object);
  }

  #answerList({ resource }: Target, query: URLSearchParams, response: ServerResponse): undefined {
    const { kind = '' } = resources[resource] ?? {};
    const token = query.get('continue');
    let items: readonly ApiObject[];
    let version = this.#version;
    if (token === null) {
      const asked = Number(query.get('resourceVersion') ?? 0);
      if (asked > this.#version)
        return refuse(response, 504, {
          reason: 'Timeout',
          message: `Too large resource version: ${asked}, current: ${this.#version}`,
        });
      items = this.list(resource).filter(selector(query));
    } else {
      const page = this.#pages.get(token);
      if (page === undefined)
        return refuse(response, 410, {
          reason: 'Expired',
          message: 'The provided continue parameter is too old',
        });
      ({ items, version } = page);
    }
    const limit = Math.min(Number(query.get('limit') ?? 0) || Number.POSITIVE_INFINITY, this.largestPage);
    const rest = items.slice(limit);
    let next: string | undefined;
    if (rest.length > 0) {
      next = `page-${version}-${rest.length}-${this.#pages.size}`;
      this.#pages.set(next, { items: rest, version });
    }
    return reply(response, 200, {
      kind: `${kind}List`,
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(version),
        ...(next === undefined ? {} : { continue: next, remainingItemCount: rest.length }),
      },
      // As Go writes it when there is none.
      items: items.length === 0 ? null : items.slice(0, limit),
    });
  }

  #answerWatch({ resource }: Target, query: URLSearchParams, response: ServerResponse): undefined {
    // As servers before 1.34 say it: clients list then.
    if (query.has('sendInitialEvents'))
      return refuse(response, 422, {
        reason: 'Invalid',
        message:
          'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
      });
    const from = Number(query.get('resourceVersion') ?? 0);
    if (from < this.#oldest)
      return refuse(response, 410, {
        reason: 'Expired',
        message: `too old resource version: ${from} (${this.#oldest})`,
      });
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    const watcher: Watcher = {
      resource,
      matches: selector(query),
      wantsBookmarks: query.get('allowWatchBookmarks') === 'true',
      response,
    };
    this.#watchers.add(watcher);
    const seconds = Number(query.get('timeoutSeconds') ?? 0);
    const ended = seconds > 0 ? setTimeout(() => response.end(), seconds * 1000) : undefined;
    response.on('close', () => {
      clearTimeout(ended);
      this.#watchers.delete(watcher);
    });
    for (const change of this.#history) if (change.version > from) tell(watcher, change);
  }

  #answerPatch(
    { resource, name, subresource }: Target,
    { body, type, query }: { readonly body: unknown; readonly type: string; readonly query: URLSearchParams },
    response: ServerResponse,
  ): undefined {
    const object = this.#all(resource).get(String(name));
    if (object === undefined)
      return refuse(response, 404, { reason: 'NotFound', message: `${resource} "${name}" not found` });
    if (!isPlain(body)) return refuse(response, 400, { message: 'want an object' });
    const isStrategic = type === 'application/strategic-merge-patch+json';
    if (!isStrategic && type !== 'application/merge-patch+json')
      return refuse(response, 415, {
        reason: 'UnsupportedMediaType',
        message: `the body of the request was in an unknown format: ${type}`,
      });
    const asked = Object(body['metadata']).resourceVersion;
    if (asked !== undefined && asked !== object.metadata.resourceVersion)
      return refuse(response, 409, { reason: 'Conflict', message: 'the object has been modified' });
    const merged = merge(object, body, isStrategic);
    // As the real one: the status subresource changes status and metadata, the other one all but status.
    const after =
      subresource === 'status'
        ? { ...object, metadata: merged['metadata'], status: merged['status'] }
        : { ...merged, status: object['status'] };
    if (!isApiObject(after))
      return refuse(response, 422, { reason: 'Invalid', message: 'metadata is wrong' });
    const isChange = JSON.stringify(after) !== JSON.stringify(object);
    reply(response, 200, isChange && !isDryRun(query) ? this.put(resource, after) : after);
  }

  #answerReview(request: IncomingMessage, body: unknown, response: ServerResponse): undefined {
    const { verb, group, resource, subresource } = Object(Object(Object(body).spec).resourceAttributes);
    const isOpen = this.tokens.size === 0 && this.users.size === 0;
    const rules = this.#rulesOf(request.headers, certificateNameOf(request))?.rules ?? [];
    const asked = { group, verb, resource: subresource ? `${resource}/${subresource}` : resource };
    return reply(response, 201, { ...Object(body), status: { allowed: isOpen || allows(rules, asked) } });
  }

  #answerCreate(
    { resource }: Target,
    { body, query }: { readonly body: unknown; readonly query: URLSearchParams },
    response: ServerResponse,
  ): undefined {
    if (!isApiObject(body))
      return refuse(response, 422, { reason: 'Invalid', message: 'metadata.name is missing' });
    if (this.#all(resource).has(keyOf(body)))
      return refuse(response, 409, {
        reason: 'AlreadyExists',
        message: `${resource} "${body.metadata.name}" already exists`,
      });
    return reply(response, 201, isDryRun(query) ? body : this.put(resource, body));
  }
}

function secureOptions({ key, cert, clientCa }: ServerTls) {
  // As the real one: a certificate is asked for, and who has none may show a token.
  return {
    key,
    cert,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
  };
}

/** The user that a client's certificate names, if it is of an authority that is believed. */
function certificateNameOf({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : undefined;
}

function allows(
  rules: readonly RbacRule[],
  { group, resource, verb }: { readonly group: string; readonly resource: string; readonly verb: string },
): boolean {
  return rules.some(
    (rule) =>
      rule.apiGroups.includes(group) && rule.resources.includes(resource) && rule.verbs.includes(verb),
  );
}

function isDryRun(query: URLSearchParams): boolean {
  return query.get('dryRun') === 'All';
}

/** A TLS connection cannot be reset by itself, only end without a word. */
function reset(socket: Socket | null): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket?.resetAndDestroy();
}

function isPort(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isApiObject(value: unknown): value is ApiObject {
  return isPlain(value) && isPlain(value['metadata']) && typeof value['metadata']['name'] === 'string';
}

export function keyOf({ metadata: { name, namespace } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function targetOf(path: string): Target | undefined {
  const match =
    /^\/(?:api\/v1|apis\/(?:discovery|authorization)\.k8s\.io\/v1)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(
      path,
    );
  const [, namespace, resource, name, subresource] = match ?? [];
  if (resource === undefined || !Object.hasOwn(resources, resource)) return undefined;
  return { resource, namespace, name, subresource };
}

function verbOf(
  method: string,
  { isWatch, hasName }: { readonly isWatch: boolean; readonly hasName: boolean },
): string {
  if (method === 'GET') return isWatch ? 'watch' : hasName ? 'get' : 'list';
  return { POST: 'create', PATCH: 'patch', PUT: 'update', DELETE: 'delete' }[method] ?? method;
}

/** labelSelector and fieldSelector, as far as anybody here uses them. */
function selector(query: URLSearchParams): (object: ApiObject) => boolean {
  const labels = (query.get('labelSelector') ?? '').split(',').filter(Boolean);
  const name = /^metadata\.name=(.*)$/.exec(query.get('fieldSelector') ?? '')?.[1];
  return ({ metadata }) => {
    if (name !== undefined && metadata.name !== name) return false;
    const has = metadata.labels ?? {};
    return labels.every((one) => {
      if (one.startsWith('!')) return !Object.hasOwn(has, one.slice(1));
      const [key = '', value] = one.split('=');
      return value === undefined ? Object.hasOwn(has, key) : has[key] === value;
    });
  };
}

function tell({ resource, matches, response }: Watcher, change: Change): void {
  if (change.resource !== resource) return;
  const { before, after, version } = change;
  const did = before !== undefined && matches(before);
  const does = after !== undefined && matches(after);
  if (does) write(response, did ? 'MODIFIED' : 'ADDED', after);
  else if (did) {
    // Gone, or no longer selected: as it last was, with the version of its end.
    const last = after ?? before;
    write(response, 'DELETED', { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } });
  }
}

function write(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function merge(
  object: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, unknown>>,
  isStrategic: boolean,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...object };
  for (const [key, value] of Object.entries(patch)) {
    const had = merged[key];
    if (value === null) delete merged[key];
    else if (isPlain(value)) merged[key] = merge(isPlain(had) ? had : {}, value, isStrategic);
    // The only list with a merge key that is patched here: by "type".
    else if (isStrategic && key === 'conditions' && Array.isArray(value)) {
      const list = Array.isArray(had) ? [...had] : [];
      for (const one of value) {
        const at = list.findIndex((other) => Object(other).type === Object(one).type);
        if (at === -1) list.push(one);
        else list[at] = { ...Object(list[at]), ...Object(one) };
      }
      merged[key] = list;
    } else merged[key] = value;
  }
  return merged;
}

function statusObject(
  code: number,
  { reason = '', message }: { readonly reason?: string; readonly message: string },
) {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

function refuse(
  response: ServerResponse,
  code: number,
  why: { readonly reason?: string; readonly message: string },
): undefined {
  reply(response, code, statusObject(code, why));
}

function reply(response: ServerResponse, code: number, value: unknown): undefined {
  const text = JSON.stringify(value);
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
