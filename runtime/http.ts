// An HTTP server of a daemon: health, readiness and metrics from functions that are handed in, and the routes of those
// who register them. It knows nothing of what is checked or served.
import { type FastifyError, type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { errorMessage } from './error-text.ts';
import type { Logger } from './log.ts';
import { listenOnSocket, prepareSocket } from './unix-socket.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}
/** Looks at the program now. Throwing counts as one failed check. */
export type Checks = () => readonly Check[] | Promise<readonly Check[]>;

/** The body of /healthz and /readyz, with status 200 or 503. */
export interface HealthBody {
  readonly status: 'ok' | 'failed';
  readonly checks: readonly Check[];
}

/** The body of every answer that is an error. */
export interface ErrorBody {
  readonly error: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface HttpServerOptions {
  /** Gets a line a request at level debug, and the errors that are the server's own. */
  readonly log: Pick<Logger, 'debug' | 'error'>;
  /** Served at /healthz, /readyz and /metrics; each is missing (404) unless given. */
  readonly health?: Checks;
  readonly ready?: Checks;
  readonly metrics?: { text(): Promise<string>; readonly contentType: string };
  /** Adds more routes. */
  readonly routes?: (app: FastifyInstance) => void;
  /** Largest body that is accepted, in bytes; 1 MiB unless given. */
  readonly bodyLimit?: number;
}

export interface HttpServer {
  /** Port 0 takes a free one. The host is 127.0.0.1 unless given. */
  listenTcp(address: {
    readonly host?: string;
    readonly port: number;
  }): Promise<{ host: string; port: number }>;
  /** A socket of mode 0600 in a directory that is made 0700; see `prepareSocket` for what is refused. */
  listenUnix(path: string): Promise<void>;
  /** On a TCP socket that is bound already, which it takes over. */
  listenOn(descriptor: number): Promise<{ host: string; port: number }>;
  /** Stops listening and resolves when the requests under way are answered. */
  close(): Promise<void>;
  /** For tests: asks without a socket. */
  readonly inject: FastifyInstance['inject'];
}

// Who has not sent a whole request by then is cut off; all requests here are small.
const requestTimeout = 30_000;

/** One server, one listener: call one of the `listen`s, once; again only after it has rejected. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { log, health, ready, metrics, routes, bodyLimit = 2 ** 20 } = options;
  const app = fastify({ bodyLimit, requestTimeout });

  app.setErrorHandler<FastifyError>(async (err, request, reply) => {
    const status = err.statusCode !== undefined && err.statusCode >= 400 ? err.statusCode : 500;
    if (status >= 500) log.error({ err, method: request.method, path: pathOf(request) }, 'request failed');
    return reply.code(status).send(errorBody(request, { status, why: errorMessage(err) }));
  });
  app.setNotFoundHandler(async (request, reply) =>
    reply.code(404).send(errorBody(request, { status: 404, why: 'there is no such route' })),
  );
  app.addHook('onResponse', async (request, reply) => {
    const milliseconds = Math.round(reply.elapsedTime);
    log.debug(
      { method: request.method, path: pathOf(request), status: reply.statusCode, milliseconds },
      'request',
    );
  });

  if (health !== undefined) addChecks(app, { path: '/healthz', checks: health });
  if (ready !== undefined) addChecks(app, { path: '/readyz', checks: ready });
  if (metrics !== undefined) {
    app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  }
  routes?.(app);

  return {
    async listenTcp({ host = '127.0.0.1', port }) {
      await app.listen({ host, port });
      const [address] = app.addresses();
      if (typeof address !== 'object')
        throw new Error(`Cannot listen on ${host} port ${port}: no address was bound`);
      return { host: address.address, port: address.port };
    },
    async listenUnix(path) {
      await app.ready();
      await prepareSocket(path);
      await listenOnSocket(app.server, path);
    },
    async listenOn(descriptor) {
      await app.ready();
      await new Promise<void>((resolve, reject) => {
        app.server.once('error', reject);
        app.server.listen({ fd: descriptor }, () => {
          app.server.off('error', reject);
          resolve();
        });
      });
      const address = app.server.address();
      if (typeof address !== 'object' || address === null)
        throw new Error(`Cannot listen on descriptor ${descriptor}: it is no TCP socket`);
      return { host: address.address, port: address.port };
    },
    close: () => app.close(),
    inject: app.inject.bind(app),
  };
}

function addChecks(
  app: FastifyInstance,
  { path, checks }: { readonly path: string; readonly checks: Checks },
): void {
  app.get(path, async (_, reply) => {
    const results = await runChecks(path, checks);
    const ok = results.every((check) => check.ok);
    const body: HealthBody = { status: ok ? 'ok' : 'failed', checks: results };
    return reply.code(ok ? 200 : 503).send(body);
  });
}

async function runChecks(path: string, checks: Checks): Promise<readonly Check[]> {
  try {
    return await checks();
  } catch (error) {
    return [{ name: path.slice(1), ok: false, detail: errorMessage(error) }];
  }
}

// Without the query: it may carry what does not belong in a log.
const pathOf = (request: FastifyRequest): string => request.url.replace(/\?.*/s, '');

function errorBody(
  request: FastifyRequest,
  { status, why }: { readonly status: number; readonly why: string },
): ErrorBody {
  const { method } = request;
  const path = pathOf(request);
  return { error: `Cannot ${method} ${path}: ${why}`, method, path, status };
}
