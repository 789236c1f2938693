// Starts the processes of the path's benchmark in its namespaces: those that serve until they are stopped, and those that measure.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { execute } from '../../../kernel/exec.ts';
import { isRunning, type ProcessIdentity, startDaemon, stopProcesses } from '../../../kernel/process.ts';
import { programFile } from '../../../runtime/package-files.ts';
import type { BenchNetns } from '../bench-netns.ts';
import { encodeJob, type PathJob } from './path-job.ts';
import type { FlowReport, PingReport } from './traffic.ts';

/** Milliseconds until a process that does not serve is given up. */
const startTime = 20_000;
/** Milliseconds that a measuring process may take beside what it measures. */
const spareTime = 20_000;

export const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } as const;

export interface Place {
  readonly home: BenchNetns;
  /** Of log files. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

let started = 0;

/** Starts a program that goes on, and waits until it says that it is ready; it is stopped when it is disposed of. */
export async function startServing(
  command: readonly [string, ...string[]],
  { ready, ...place }: Place & { readonly ready: RegExp },
): Promise<AsyncDisposable> {
  const { home, directory, signal } = place;
  const logFile = join(directory, `process-${++started}.log`);
  const identity = await startDaemon(command, { logFile, netns: home.netns, env: environment });
  const stop = (): Promise<void> => stopProcesses([identity], { grace: 2000 });
  try {
    await untilReady(identity, { logFile, ready, signal });
    return { [Symbol.asyncDispose]: stop };
  } catch (cause) {
    await stop();
    throw new Error(`Cannot start "${command.join(' ')}": ${lastWords(logFile)}`, { cause });
  }
}

async function untilReady(
  identity: ProcessIdentity,
  {
    logFile,
    ready,
    signal,
  }: { readonly logFile: string; readonly ready: RegExp; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + startTime;
  while (!ready.test(readFileSync(logFile, 'utf8'))) {
    if (!isRunning(identity)) throw new Error('it ended');
    if (performance.now() > deadline) throw new Error(`it is not ready after ${startTime / 1000} s`);
    await sleep(20, undefined, { signal });
  }
}

function lastWords(logFile: string): string {
  const text = existsSync(logFile) ? readFileSync(logFile, 'utf8') : '';
  return text.trim().split('\n').slice(-3).join('; ') || 'it said nothing';
}

/** A job that serves. */
export function startJob(job: PathJob, place: Place): Promise<AsyncDisposable> {
  return startServing(commandOf(job), { ...place, ready: /^ready$/m });
}

function commandOf(job: PathJob): readonly [string, ...string[]] {
  return [process.execPath, programFile('cli/bench/path/main'), encodeJob(job)];
}

const flowShape = z.object({ received: z.number(), lost: z.number(), milliseconds: z.number().positive() });
const pingShape = z.object({ answered: z.number(), lost: z.number(), median: z.number(), p99: z.number() });

type Measuring<Kind extends PathJob['do']> = Extract<PathJob, { readonly do: Kind }>;

export async function runFlow(job: Measuring<'flow'>, place: Place): Promise<FlowReport> {
  return flowShape.parse(await reportOf(job, place));
}

export async function runPing(job: Measuring<'ping'>, place: Place): Promise<PingReport> {
  return pingShape.parse(await reportOf(job, place));
}

async function reportOf(job: Measuring<'flow' | 'ping'>, { home, signal }: Place): Promise<unknown> {
  const { stdout } = await execute(commandOf(job), {
    netns: home.netns,
    env: environment,
    signal,
    timeout: job.seconds * 1000 + spareTime,
  });
  return JSON.parse(stdout);
}
