// How an API server is reached, for whoever hears of a store's state, and the line that tells it in the log.
import type { SourceSurroundings } from '../source-status.ts';
import type { ApiError } from './api/api-error.ts';

export interface ServerTrouble {
  /** Its address. */
  readonly server: string;
  /** Undefined: it answers. */
  readonly error: ApiError | undefined;
}

export function tellServerStatus(
  onStatus: SourceSurroundings['onStatus'],
  { server, error }: ServerTrouble,
): void {
  const connected = error === undefined;
  const problem = error?.message ?? null;
  const note = connected
    ? `the API server ${server} answers`
    : `the API server ${server} does not answer; what is known stays: ${problem}`;
  onStatus?.({ kind: 'kubernetes', servers: [server], connected, problem }, note);
}
