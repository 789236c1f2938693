// A lean API server on loopback for the stores' benchmark: lists, watches with bookmarks, patches of Nodes, events. It answers as a real one
// with a watch cache does in what costs: a list that names a version and no limit, or version 0, comes in one answer; long ones compressed
// for who takes that. What a cluster's server also does (access control, admission, storage) it does not.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setImmediate as breath } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';

export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** What is served, by path. */
const kinds = {
  '/api/v1/nodes': { apiVersion: 'v1', kind: 'Node' },
  '/api/v1/services': { apiVersion: 'v1', kind: 'Service' },
  '/apis/discovery.k8s.io/v1/endpointslices': { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
} as const;
export type KubePath = keyof typeof kinds;

const nodesPath: KubePath = '/api/v1/nodes';
/** As the real one: smaller ones are not worth it. */
const leastCompressed = 128 * 1024;
/** gzip's, as the real one has it. */
const compression = 4;
/** Objects written between two breaths. */
const objectsInRow = 50;
/** What other writers of the cluster have written before. */
const firstVersion = 1000;

type Change = 'ADDED' | 'MODIFIED' | 'DELETED';

export class KubeServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #objects = new Map<KubePath, Map<string, KubeObject>>();
  readonly #watchers = new Map<KubePath, Set<ServerResponse>>();
  #version = firstVersion;
  /** Versions that watches may begin at: none before is known any more. */
  #oldest = firstVersion;
  #port = 0;

  private constructor() {
    for (const path of Object.keys(kinds) as KubePath[]) {
      this.#objects.set(path, new Map());
      this.#watchers.set(path, new Set());
    }
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<KubeServer> {
    const server = new KubeServer();
    server.#server.listen(0, '127.0.0.1', 4096);
    await once(server.#server, 'listening');
    const address = server.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('The API server has no port');
    server.#port = address.port;
    return server;
  }

  get port(): number {
    return this.#port;
  }

  put(path: KubePath, object: KubeObject): void {
    const all = this.#all(path);
    const key = keyOf(object);
    this.#version++;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    const change: Change = all.has(key) ? 'MODIFIED' : 'ADDED';
    all.set(key, stored);
    this.#tell(path, change, stored);
  }

  delete(path: KubePath, key: string): void {
    const all = this.#all(path);
    const object = all.get(key);
    if (object === undefined) return;
    all.delete(key);
    this.#version++;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    this.#tell(path, 'DELETED', { ...object, metadata });
  }

  /** All at once, with nobody told: for what is there before anybody looks. */
  fill(path: KubePath, objects: Iterable<KubeObject>): void {
    const all = this.#all(path);
    all.clear();
    for (const object of objects) {
      this.#version++;
      const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
      all.set(keyOf(object), { ...object, metadata });
    }
    this.#oldest = this.#version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #all(path: KubePath): Map<string, KubeObject> {
    const all = this.#objects.get(path);
    if (all === undefined) throw new RangeError(`Nothing is served at "${path}"`);
    return all;
  }

  #tell(path: KubePath, type: Change, object: KubeObject): void {
    const watchers = this.#watchers.get(path);
    if (watchers === undefined || watchers.size === 0) return;
    const line = `{"type":"${type}","object":${textOf(path, object)}}\n`;
    for (const response of watchers) response.write(line);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const body = await bodyOf(request);
    const path = isKubePath(url.pathname) ? url.pathname : undefined;
    if (path !== undefined && url.searchParams.get('watch') === '1')
      this.#watch(path, url.searchParams, response);
    else if (path !== undefined) await this.#list(path, { query: url.searchParams, request, response });
    else if (url.pathname.startsWith(`${nodesPath}/`)) this.#node(url.pathname, { request, response, body });
    else if (request.method === 'POST' && url.pathname.endsWith('/events')) reply(response, 201, body);
    else refuse(response, 404, 'NotFound');
  }

  /** One Node, or a merge patch of it. */
  #node(
    path: string,
    of: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly body: string },
  ): void {
    const { request, response, body } = of;
    const [name = ''] = path.slice(nodesPath.length + 1).split('/');
    const node = this.#all(nodesPath).get(name);
    if (node === undefined) {
      refuse(response, 404, 'NotFound');
      return;
    }
    if (request.method === 'PATCH') {
      const { metadata = {} } = Object(JSON.parse(body));
      const annotations = { ...Object(node.metadata['annotations']), ...Object(metadata).annotations };
      this.put(nodesPath, { ...node, metadata: { ...node.metadata, annotations } });
    }
    reply(response, 200, textOf(nodesPath, this.#all(nodesPath).get(name) ?? node));
  }

  #watch(path: KubePath, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion') ?? 0);
    if (from < this.#oldest) {
      refuse(response, 410, 'Expired');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const object of this.#all(path).values())
      if (Number(object.metadata['resourceVersion']) > from)
        response.write(`{"type":"MODIFIED","object":${textOf(path, object)}}\n`);
    this.#watchers.get(path)?.add(response);
    const seconds = Number(query.get('timeoutSeconds') ?? 300);
    const ending = setTimeout(() => response.end(), seconds * 1000);
    const bookmarks = setInterval(() => {
      const metadata = { resourceVersion: String(this.#version), creationTimestamp: null };
      response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { ...kinds[path], metadata } })}\n`);
    }, 60_000);
    response.on('close', () => {
      clearTimeout(ending);
      clearInterval(bookmarks);
      this.#watchers.get(path)?.delete(response);
    });
  }

  async #list(
    path: KubePath,
    of: {
      readonly query: URLSearchParams;
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
    },
  ): Promise<void> {
    const { query, request, response } = of;
    const all = [...this.#all(path).values()];
    const version = query.get('resourceVersion');
    // From storage, in pages; else from the cache, which knows no limit where any version will do.
    const isPaged = query.get('limit') !== null && version !== '0';
    const from = Number(query.get('continue') ?? 0);
    const items = isPaged ? all.slice(from, from + Number(query.get('limit'))) : all;
    const end = from + items.length;
    const more = isPaged && end < all.length ? { continue: String(end) } : {};
    const { apiVersion, kind } = kinds[path];
    const metadata = { resourceVersion: String(this.#version), ...more };
    const head = JSON.stringify({ kind: `${kind}List`, apiVersion, metadata }).slice(0, -1);
    const first = items.slice(0, objectsInRow).map((object) => textOf(path, object));
    const isLong =
      first.reduce((sum, text) => sum + text.length, 0) * (items.length / objectsInRow) > leastCompressed;
    const isPacked = isLong && String(request.headers['accept-encoding'] ?? '').includes('gzip');
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
    });
    const out = isPacked ? createGzip({ level: compression, flush: constants.Z_NO_FLUSH }) : response;
    if (out !== response) out.pipe(response);
    out.write(`${head},"items":[`);
    for (let at = 0; at < items.length && !response.destroyed; at += objectsInRow) {
      const texts = items.slice(at, at + objectsInRow).map((object) => textOf(path, object));
      if (!out.write(`${at === 0 ? '' : ','}${texts.join(',')}`)) await drained(out, response);
      await breath();
    }
    out.end(']}\n');
  }
}

async function drained(out: NodeJS.EventEmitter, response: ServerResponse): Promise<void> {
  // Whoever waits in vain goes on listening until it is told to stop.
  const abort = new AbortController();
  const { signal } = abort;
  const waits = [once(out, 'drain', { signal }), once(response, 'close', { signal })];
  await Promise.race(waits);
  abort.abort();
  await Promise.allSettled(waits);
}

function isKubePath(path: string): path is KubePath {
  return path in kinds;
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function textOf(path: KubePath, object: KubeObject): string {
  return JSON.stringify({ ...kinds[path], ...object });
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(text);
}

function refuse(response: ServerResponse, code: number, reason: string): void {
  reply(response, code, JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: reason }));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += String(chunk);
  return text;
}
