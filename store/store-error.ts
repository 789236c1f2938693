// What a store throws: which object, which of its fields, and what is wrong, each value quoted. Not for programming mistakes.

/** Longest quotation of a foreign value in a message. */
const quotedLength = 80;

/**
 * `invalid`: the object cannot be read, see `problems`. `missing`: there is no such object. `full`: no subnet is free.
 * `conflict`: another node holds what was asked for. `lost`: the lease is no longer ours. `unavailable`: the store itself failed.
 */
export type StoreErrorCode = 'invalid' | 'missing' | 'full' | 'conflict' | 'lost' | 'unavailable';

/** One thing wrong with one field; `field` is a path such as "BackendData.VtepMAC", empty for the whole object. */
export type FieldProblem = { readonly field: string; readonly message: string };

export type StoreErrorDetails = {
  readonly code: StoreErrorCode;
  /** The file or key that the error is about. */
  readonly object: string;
  readonly problems?: readonly FieldProblem[];
  readonly cause?: unknown;
};

/** Quotes a foreign value as JSON (so control characters cannot reach a terminal), cut to a length that fits a message. */
export function quote(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = '(unprintable)';
  }
  return text.length <= quotedLength ? text : `${text.slice(0, quotedLength)}... (${text.length} characters)`;
}

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly object: string;
  readonly problems: readonly FieldProblem[];

  constructor(action: string, details: StoreErrorDetails) {
    const problems = details.problems ?? [];
    const list = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
    super(
      list.length === 0 ? action : `${action}: ${list.join('; ')}`,
      details.cause === undefined ? {} : { cause: details.cause },
    );
    this.code = details.code;
    this.object = details.object;
    this.problems = problems;
  }
}

/** True for a StoreError of that code. */
export function isStoreError(error: unknown, code?: StoreErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}
