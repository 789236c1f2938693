// What can be read off anything that was thrown. `instanceof Error` is false for errors of another realm.

/** The message of an error; of anything else that was thrown, its text. */
export function errorMessage(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}

/** Node's code, such as `ENOENT`; undefined if there is none. */
export function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
