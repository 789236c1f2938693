// What a command is given of the process around it: its terminal, its end, its environment. Only main.ts makes the real one.
import type { Terminal } from './terminal.ts';

export interface CommandContext {
  /** How the user called us, for what we tell them to type. */
  readonly program: string;
  readonly terminal: Terminal;
  /** Aborted by Ctrl-C and SIGTERM: long work cleans up and ends. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gives SIGINT and SIGTERM back to the command: a daemon has a shutdown of its own. */
  readonly releaseSignals: () => void;
  /** Sets the exit code of a command that has said itself what went wrong. */
  readonly fail: (code?: number) => void;
}
