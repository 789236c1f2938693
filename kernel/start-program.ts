// Starts a program with pipes, to be waited for or killed alone: as a container runtime treats its plugins. Programs that are simply
// run to their end are exec.ts's, those that outlive us process.ts's.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Netns } from './netns.ts';

export interface StartProgramOptions {
  /** Given to the program's standard input, which is closed after it. */
  readonly input: string;
  /** All that it finds in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The namespace that the program runs in; our own if absent. */
  readonly netns?: Netns | undefined;
  /** Kills the program, and nothing that it started. */
  readonly signal?: AbortSignal | undefined;
}

export interface ProgramEnd {
  /** Undefined: a signal ended it. */
  readonly exitCode: number | undefined;
  /** Undefined: none ended it. */
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** True when something that the program started still had its output open a while after it had ended. */
  readonly outputHeld: boolean;
}

export interface StartedProgram {
  /** Rejects with Node's own error when the program cannot be started. */
  readonly done: Promise<ProgramEnd>;
  /** SIGKILL. */
  kill(): void;
}

/** Milliseconds that we wait for whoever holds the output of a program that has ended. */
const holdersPatience = 2000;

export function startProgram(path: string, options: StartProgramOptions): StartedProgram {
  const { input, env, netns, signal } = options;
  const start = (): ChildProcessWithoutNullStreams => spawn(path, [], { env, stdio: 'pipe' });
  // The child is forked by this thread within the call, so it is born in the thread's namespace; nsenter would cost 2 ms.
  const child = netns === undefined ? start() : netns.run(start);
  const kill = (): void => void child.kill('SIGKILL');
  if (signal?.aborted) kill();
  signal?.addEventListener('abort', kill, { once: true });
  const done = endOf(child).finally(() => signal?.removeEventListener('abort', kill));
  // It may end without reading.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return { done, kill };
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<ProgramEnd> {
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  return new Promise((resolve, reject) => {
    let holders: NodeJS.Timeout | undefined;
    let outputHeld = false;
    child.once('error', reject);
    child.once('exit', () => {
      holders = setTimeout(() => {
        outputHeld = true;
        child.stdout.destroy();
        child.stderr.destroy();
      }, holdersPatience);
    });
    child.once('close', (code, signal) => {
      clearTimeout(holders);
      resolve({
        exitCode: code ?? undefined,
        signal: signal ?? undefined,
        stdout: out(),
        stderr: err(),
        outputHeld,
      });
    });
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
