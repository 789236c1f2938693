// Requests to an API server over Node's own HTTP: JSON in, JSON out, and watches as a stream of lines. Who asks for what, and again
// when it fails, is list-watch.ts and the stores.
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ApiError } from './api-error.ts';
import type { KubeAccess } from './kube-access.ts';

/** A server that says nothing for so long is gone. */
const silenceMs = 30_000;

/** The longest that an answer takes as a whole, however steadily it drips. */
const answerMs = 5 * 60_000;

/** TCP asks after a silent peer from here on: a watch has nothing to say for minutes. */
const keepAliveMs = 30_000;

/** Longest answer and longest line of a watch: etcd's objects have at most 1.5 MB. */
const longestAnswer = 256 * 2 ** 20;
const longestLine = 16 * 2 ** 20;

export type Query = Readonly<Record<string, string | undefined>>;

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** "/api/v1/nodes/a". */
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  /** The answer may come compressed. */
  readonly isLong?: boolean;
  readonly signal: AbortSignal;
}

export interface WatchRequest {
  readonly path: string;
  readonly query: Query;
  /** Longest time without a byte. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

export interface KubeClientOptions {
  readonly access: KubeAccess;
  /** What the server's log calls us. */
  readonly userAgent?: string;
  readonly silenceMs?: number;
}

export class KubeClient {
  readonly server: string;
  readonly #access: KubeAccess;
  readonly #userAgent: string;
  readonly #silenceMs: number;
  readonly #agent: HttpAgent;

  constructor({ access, userAgent = 'netloom', silenceMs: silence = silenceMs }: KubeClientOptions) {
    this.#access = access;
    this.#userAgent = userAgent;
    this.#silenceMs = silence;
    this.server = access.server;
    const options = { keepAlive: true, keepAliveMsecs: keepAliveMs, maxFreeSockets: 1 };
    this.#agent = this.server.startsWith('https:') ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** The text of the answer. Rejects with ApiError. */
  async text(request: ApiRequest): Promise<string> {
    const name = nameOf(request);
    const limit = AbortSignal.timeout(answerMs);
    const response = await this.#send(request, {
      signal: AbortSignal.any([request.signal, limit]),
      silence: this.#silenceMs,
    });
    try {
      return await textOf(response);
    } catch (cause) {
      request.signal.throwIfAborted();
      throw this.#failure(name, cause);
    }
  }

  /** The text of a long answer, piece by piece; compressed on the way, as Go's clients take it. Rejects with ApiError. */
  async *pieces(request: Omit<ApiRequest, 'isLong'>): AsyncGenerator<string, void, undefined> {
    const limit = AbortSignal.timeout(answerMs);
    const response = await this.#send(
      { ...request, isLong: true },
      { signal: AbortSignal.any([request.signal, limit]), silence: this.#silenceMs },
    );
    const source = unpacked(response);
    source.setEncoding('utf8');
    let length = 0;
    try {
      for await (const chunk of source) {
        const piece = String(chunk);
        length += piece.length;
        if (length > longestAnswer) throw new Error(`its answer has more than ${longestAnswer} characters`);
        yield piece;
      }
    } catch (cause) {
      request.signal.throwIfAborted();
      throw this.#failure(nameOf(request), cause);
    } finally {
      response.destroy();
    }
  }

  /** The answer, parsed. Rejects with ApiError. */
  async json(request: ApiRequest): Promise<unknown> {
    const text = await this.text(request);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.#failure(nameOf(request), cause, 'its answer is not JSON');
    }
  }

  /** The lines of a watch, once the server has taken it. Rejects, and the lines end, with ApiError. */
  async watch(request: WatchRequest): Promise<AsyncGenerator<readonly string[]>> {
    const response = await this.#send(request, { signal: request.signal, silence: request.silenceMs });
    return this.#lines(response, request);
  }

  close(): void {
    this.#agent.destroy();
  }

  async *#lines(response: IncomingMessage, request: WatchRequest): AsyncGenerator<readonly string[]> {
    let rest = '';
    response.setEncoding('utf8');
    try {
      for await (const chunk of response) {
        const lines = `${rest}${String(chunk)}`.split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > longestLine) throw new Error(`a line has more than ${longestLine} characters`);
        const whole = lines.filter((line) => line !== '');
        if (whole.length > 0) yield whole;
      }
    } catch (cause) {
      request.signal.throwIfAborted();
      throw this.#failure(nameOf(request, 'watch'), cause);
    } finally {
      response.destroy();
    }
  }

  async #send(
    request: ApiRequest | WatchRequest,
    { signal, silence }: { readonly signal: AbortSignal; readonly silence: number },
  ): Promise<IncomingMessage> {
    const isWatch = 'silenceMs' in request;
    const name = nameOf(request, isWatch ? 'watch' : undefined);
    for (let attempt = 0; ; attempt++) {
      request.signal.throwIfAborted();
      const credentials = await this.#access.credentials();
      const body = 'body' in request && request.body !== undefined ? JSON.stringify(request.body) : undefined;
      const options: RequestOptions = {
        ...credentials.tls,
        method: ('method' in request ? request.method : undefined) ?? 'GET',
        agent: credentials.agent ?? this.#agent,
        signal,
        headers: {
          ...credentials.headers,
          accept: 'application/json',
          ...('isLong' in request && request.isLong === true ? { 'accept-encoding': 'gzip' } : {}),
          'user-agent': this.#userAgent,
          ...(body === undefined
            ? {}
            : {
                'content-type':
                  ('contentType' in request ? request.contentType : undefined) ?? 'application/json',
                'content-length': Buffer.byteLength(body),
              }),
        },
      };
      let response: IncomingMessage;
      try {
        response = await exchange(`${this.server}${target(request)}`, { options, body, silence });
      } catch (cause) {
        request.signal.throwIfAborted();
        // The server closed a connection that it had kept while we took it up again.
        if (cause instanceof StaleConnection && attempt < 3) continue;
        throw this.#failure(name, cause);
      }
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode < 300) return response;
      if (statusCode === 401 && attempt === 0) {
        response.resume();
        this.#access.refused();
        continue;
      }
      throw await this.#refusal(name, response);
    }
  }

  /** The server's no, in its own words: a Status object, or a line of text. */
  async #refusal(request: string, response: IncomingMessage): Promise<ApiError> {
    const { statusCode: status = 0, statusMessage = '', headers } = response;
    const seconds = Number(headers['retry-after']);
    const retryAfterMs = seconds > 0 && seconds < 3600 ? seconds * 1000 : undefined;
    let words = statusMessage;
    let reason = '';
    try {
      const text = await textOf(response);
      words = text.trim() || statusMessage;
      const said = Object(JSON.parse(text));
      if (typeof said.message === 'string') words = said.message;
      if (typeof said.reason === 'string') reason = said.reason;
    } catch {
      // Its words are what could be read of them.
    }
    return new ApiError({ request, server: this.server, status, reason, message: words, retryAfterMs });
  }

  #failure(request: string, cause: unknown, message = whyOf(cause)): ApiError {
    return new ApiError({ request, server: this.server, status: 0, message, cause });
  }
}

/** What Node says of a connection; of several that were tried, of the first. */
function whyOf(error: unknown): string {
  const { name, message, code, errors } = Object(error);
  if (name === 'AbortError' || name === 'TimeoutError') return `no whole answer after ${answerMs / 1000} s`;
  const [first] = Array.isArray(errors) ? errors : [];
  if (first !== undefined && !message) return whyOf(first);
  return String(message || code || error);
}

function nameOf(request: ApiRequest | WatchRequest, verb?: string): string {
  const method = 'method' in request && request.method !== undefined ? request.method.toLowerCase() : 'get';
  return `${verb ?? method} ${request.path.replace(/^\/apis?\/(?:[^/]+\/)?v\d\w*\//, '')}`;
}

function target({ path, query = {} }: Pick<ApiRequest, 'path' | 'query'>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? path : `${path}?${given.join('&')}`;
}

class StaleConnection extends Error {}

function exchange(
  url: string,
  {
    options,
    body,
    silence,
  }: { readonly options: RequestOptions; readonly body: string | undefined; readonly silence: number },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = send(url, options, resolve);
    request.setTimeout(silence, () => {
      request.destroy(new Error(`no word from it for ${Math.round(silence / 100) / 10} s`));
    });
    request.on('socket', (socket) => {
      socket.setKeepAlive(true, keepAliveMs);
      socket.setNoDelay(true);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    request.end(body);
  });
}

/** What fails on the wire fails here too. */
function unpacked(response: IncomingMessage): Readable {
  if (response.headers['content-encoding'] !== 'gzip') return response;
  return pipeline(response, createGunzip(), () => {});
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of unpacked(response)) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > longestAnswer) {
      response.destroy();
      throw new Error(`its answer has more than ${longestAnswer} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
