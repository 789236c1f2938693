// What a request to the API server fails with. Its text names what was asked of whom and quotes the server; no header is ever in it.
import { StoreError, type StoreErrorCode } from '../../store-error.ts';

/** Longest part of a server's own words that is passed on: it may be any server. */
const longestWords = 300;

export interface ApiErrorDetails {
  /** "patch nodes/a": verb and path. */
  readonly request: string;
  readonly server: string;
  /** Of HTTP; 0 when there was no answer. */
  readonly status: number;
  /** Kubernetes' own word for it, such as "Expired"; empty when it gave none. */
  readonly reason?: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

const codes: Readonly<Record<number, StoreErrorCode>> = {
  400: 'invalid',
  404: 'missing',
  409: 'conflict',
  422: 'invalid',
};

export class ApiError extends StoreError {
  readonly status: number;
  readonly reason: string;
  /** The server wants to be left alone for so long. */
  readonly retryAfterMs: number | undefined;

  constructor({ request, server, status, reason = '', message, retryAfterMs, cause }: ApiErrorDetails) {
    const words = message.replace(/\p{C}+/gu, ' ').slice(0, longestWords);
    super(`Cannot ${request} at ${server}: ${status === 0 ? '' : `${status} `}${words}`, {
      code: codes[status] ?? 'unavailable',
      object: server,
      cause,
    });
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export function isApiError(error: unknown, status?: number): error is ApiError {
  return error instanceof ApiError && (status === undefined || error.status === status);
}
