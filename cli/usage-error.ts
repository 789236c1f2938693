/** A mistake in the command line that only the command itself can see. main.ts ends with code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
