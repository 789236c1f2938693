// The `netloom` executable: runs the command that the command line names and ends with 0 (done), 1 (failed) or 2 (usage).

import { CommanderError } from 'commander';
import { errorMessage } from '../runtime/error-text.ts';
import type { CommandContext } from './context.ts';
import { buildProgram, commandNames } from './program.ts';
import { openTerminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

const argv = process.argv.slice(2);
const terminal = openTerminal({
  stdout: process.stdout,
  stderr: process.stderr,
  noColor: (process.env['NO_COLOR'] ?? '') !== '',
});
const interrupted = new AbortController();
const interrupt = (): void => {
  interrupted.abort(new Error('interrupted'));
};
process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
// Whoever reads no further (`netloom lab check | head -1`) has what he wants.
process.stdout.on('error', () => process.exit(0));

const context: CommandContext = {
  program: process.env['NETLOOM_PROGRAM'] ?? 'netloom',
  terminal,
  signal: interrupted.signal,
  env: process.env,
  releaseSignals: () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt),
  fail: (code = 1) => {
    process.exitCode = code;
  },
};

async function main(): Promise<void> {
  try {
    const called = argv.find((argument) => commandNames.includes(argument));
    const program = await buildProgram(context, called === undefined ? '' : called);
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

/** Says what went wrong, in one line. */
function exitCodeOf(error: unknown): number {
  // Commander has printed its own complaint, or the help that was asked for (then its code is 0).
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (argv.includes('--debug') && error instanceof Error) terminal.note(error.stack ?? error.message);
  else terminal.note(`netloom: ${errorMessage(error)}`);
  if (error instanceof Error && 'log' in error && Array.isArray(error.log)) {
    for (const line of error.log) terminal.note(`  | ${line}`);
  }
  return error instanceof UsageError ? 2 : 1;
}

void main();
