// What the long-running commands have in common: a log, an orderly end on SIGTERM, and nothing opened when that came too early.
import { realClock } from '../runtime/clock.ts';
import { createLog, type Log, type LogFormat, type LogLevel } from '../runtime/log.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import type { CommandContext } from './context.ts';
import { keepCompiled } from './keep-compiled.ts';

export interface DaemonOptions {
  /** Its name in the log of the shutdown. */
  readonly name: string;
  readonly settings: {
    readonly logLevel: LogLevel;
    readonly logFormat: LogFormat;
    readonly nodeName: string;
  };
  /** Logged first. */
  readonly warnings: readonly string[];
  /** Runs until the signal aborts. */
  readonly run: (around: { readonly log: Log; readonly signal: AbortSignal }) => Promise<void>;
}

export async function runDaemon(context: CommandContext, options: DaemonOptions): Promise<void> {
  const { name, settings, warnings } = options;
  const log = createLog({
    level: settings.logLevel,
    format: settings.logFormat,
    fields: { node: settings.nodeName },
  });
  for (const warning of warnings) log.root.warn(warning);
  const shutdown = createShutdown({ process, log: log.component('shutdown'), clock: realClock });
  // Only now: without any listener, a signal that is on its way would be lost.
  context.releaseSignals();
  if (context.signal.aborted) {
    // The command line heard it while the program was still loading: nothing has been opened.
    log.component('shutdown').info('asked to stop before the start');
    return;
  }
  const running = options.run({ log, signal: shutdown.signal });
  shutdown.add(name, () => running);
  keepCompiled();
  await running;
}
