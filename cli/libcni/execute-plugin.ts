// Finds a plugin's executable and runs it. What is said to it, and what its answer means, is libcni.ts's.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Netns } from '../../kernel/netns.ts';
import { type StartedProgram, startProgram } from '../../kernel/start-program.ts';

/** For the programs that plugins start. Nothing else of the caller's: a variable of somebody's shell changes no pod. */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Throws RangeError that names the directories when none has it. */
export function findPlugin(type: string, directories: readonly string[]): string {
  if (!/^[A-Za-z0-9._-]+$/.test(type)) throw new SyntaxError(`Cannot run plugin "${type}": this is no type`);
  const found = directories.map((directory) => join(directory, type)).find(isFile);
  if (found === undefined)
    throw new RangeError(`Cannot find plugin "${type}" in "${directories.join('", "')}"`);
  return found;
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Runs one executable as a plugin, with nothing in its environment but `env` and PATH. */
export function executePlugin(options: {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** Path of the namespace that it runs in; that of this process if absent. */
  readonly hostNetns?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}): StartedProgram {
  const { env, stdin, hostNetns, signal } = options;
  const netns = hostNetns === undefined ? undefined : Netns.open(hostNetns);
  try {
    return startProgram(options.path, { input: stdin, env: { PATH: path, ...env }, netns, signal });
  } finally {
    netns?.close();
  }
}
