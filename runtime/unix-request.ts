// One HTTP request over a unix socket, for the commands that ask a running daemon. Not a general HTTP client.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { errorCode, errorMessage } from './error-text.ts';

export interface UnixRequest {
  readonly socketPath: string;
  readonly path: string;
  /** GET unless given, or POST with a body. */
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Milliseconds until the whole answer must be there; 5,000 unless given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface UnixResponse {
  readonly status: number;
  /** Parsed when the answer says that it is JSON, else its text. */
  readonly body: unknown;
}

/**
 * `not-running`: nobody listens there. `denied`: the socket is another user's. `timeout`: no answer in time.
 * `status`: an answer that is not 2xx. `broken`: the connection ended early, or the JSON was none.
 */
export type UnixRequestFailure = 'not-running' | 'denied' | 'timeout' | 'status' | 'broken';

/** Caught by commands, to say what to do about it. */
export class UnixRequestError extends Error {
  override readonly name = 'UnixRequestError';
  readonly kind: UnixRequestFailure;
  /** What was answered, for kind `status`. */
  readonly response: UnixResponse | undefined;

  constructor(
    message: string,
    options: { kind: UnixRequestFailure; response?: UnixResponse; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.kind = options.kind;
    this.response = options.response;
  }
}

/** Resolves with a 2xx answer. Rejects with UnixRequestError, or with the signal's reason when that is aborted. */
export async function unixRequest(options: UnixRequest): Promise<UnixResponse> {
  const {
    socketPath,
    path,
    body,
    method = body === undefined ? 'GET' : 'POST',
    timeoutMs = 5000,
    signal,
  } = options;
  const action = `Cannot ${method} ${path} on "${socketPath}"`;
  const timeout = AbortSignal.timeout(timeoutMs);
  let answer: { readonly message: IncomingMessage; readonly text: string };
  try {
    answer = await exchange({
      options: {
        socketPath,
        path,
        method,
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      },
      payload: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (timeout.aborted) {
      throw new UnixRequestError(`${action}: no answer within ${timeoutMs} ms`, { kind: 'timeout', cause });
    }
    throw connectionError(action, cause);
  }
  const response = parse(action, answer);
  if (response.status < 200 || response.status > 299) {
    throw new UnixRequestError(`${action}: status ${response.status}: ${say(response.body)}`, {
      kind: 'status',
      response,
    });
  }
  return response;
}

interface Exchange {
  readonly options: { socketPath: string; path: string; method: string; signal: AbortSignal };
  readonly payload: string | undefined;
}

function exchange({ options, payload }: Exchange): Promise<{ message: IncomingMessage; text: string }> {
  return new Promise((resolve, reject) => {
    const headers =
      payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    // A connection of its own: a kept one would keep the command from ending.
    const request = httpRequest({ ...options, headers, agent: false }, (message) => {
      const chunks: Buffer[] = [];
      message.on('data', (chunk: Buffer) => chunks.push(chunk));
      message.on('error', reject);
      message.on('end', () => resolve({ message, text: Buffer.concat(chunks).toString('utf8') }));
    });
    request.on('error', reject);
    request.end(payload);
  });
}

function connectionError(action: string, cause: unknown): UnixRequestError {
  const code = errorCode(cause);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new UnixRequestError(`${action}: nothing runs there (no such socket)`, {
        kind: 'not-running',
        cause,
      });
    case 'ECONNREFUSED':
      return new UnixRequestError(`${action}: nothing runs there (the socket is a dead one)`, {
        kind: 'not-running',
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new UnixRequestError(`${action}: permission denied: the socket is another user's`, {
        kind: 'denied',
        cause,
      });
    default:
      return new UnixRequestError(`${action}: the connection broke: ${errorMessage(cause)}`, {
        kind: 'broken',
        cause,
      });
  }
}

function parse(
  action: string,
  { message, text }: { readonly message: IncomingMessage; readonly text: string },
): UnixResponse {
  const status = message.statusCode ?? 0;
  const isJson = /^application\/([\w.+-]+\+)?json\b/.test(message.headers['content-type'] ?? '');
  if (!isJson) return { status, body: text };
  try {
    return { status, body: JSON.parse(text) };
  } catch (cause) {
    throw new UnixRequestError(`${action}: the answer is not JSON: ${errorMessage(cause)}`, {
      kind: 'broken',
      cause,
    });
  }
}

/** The message of an error body, or the beginning of whatever came. */
function say(body: unknown): string {
  if (typeof body === 'object' && body !== null && 'error' in body && typeof body.error === 'string')
    return body.error;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
