// Processes that outlive a call: daemons with a log file, programs on the caller's terminal, and what /proc says about them.
// Programs that are run to their end are exec.ts's.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Netns } from './netns.ts';

/** A process, told apart from a later one that got its number by when it started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (/proc/PID/stat, field 22). */
  readonly startTime: number;
}

export interface ProcessEntry extends ProcessIdentity {
  readonly parent: number;
  readonly argv: readonly string[];
  /** Inode of its network namespace; undefined when it may not be read. */
  readonly netns: number | undefined;
}

export interface DaemonOptions {
  /** Standard output and standard error are appended here. */
  readonly logFile: string;
  /** By its path, so that the process list shows where it runs; our own namespace if absent. */
  readonly netns?: Netns | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program in a session of its own; it goes on when we end. Throws Error when it cannot be started at all. */
export async function startDaemon(
  command: readonly [string, ...string[]],
  options: DaemonOptions,
): Promise<ProcessIdentity> {
  const [program, ...args] =
    options.netns === undefined
      ? command
      : (['nsenter', `--net=${options.netns.path}`, '--', ...command] as const);
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
    });
    await once(child, 'spawn').catch((cause: unknown) => {
      throw new Error(`Cannot start "${command.join(' ')}": ${messageOf(cause)}`, { cause });
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : readProcess(child.pid);
    if (identity === undefined) throw new Error(`Cannot start "${command.join(' ')}": it ended at once`);
    return { pid: identity.pid, startTime: identity.startTime };
  } finally {
    closeSync(log);
  }
}

/**
 * Runs a program on our own standard input, output and error until it ends. Returns its exit code, or 128 and the number
 * of the signal that ended it, as a shell does. The terminal's Ctrl-C is the program's business meanwhile.
 */
export async function runAttached(
  command: readonly [string, ...string[]],
  options: { readonly netns?: Netns | undefined; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<number> {
  const [program, ...args] =
    options.netns === undefined
      ? command
      : (['nsenter', `--net=${options.netns.path}`, '--', ...command] as const);
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  process.on('SIGQUIT', ignore);
  try {
    const child = spawn(program, args, {
      stdio: 'inherit',
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
    });
    const forward = (): void => void child.kill('SIGTERM');
    process.on('SIGTERM', forward);
    try {
      // The listener for the exit must be there before anything is waited for.
      const [code, signal] = await exitOf(child).catch((cause: unknown) => {
        throw new Error(`Cannot run "${command.join(' ')}": ${messageOf(cause)}`, { cause });
      });
      return code ?? 128 + (signal ?? 0);
    } finally {
      process.off('SIGTERM', forward);
    }
  } finally {
    process.off('SIGINT', ignore);
    process.off('SIGQUIT', ignore);
  }
}

function exitOf(child: ReturnType<typeof spawn>): Promise<readonly [number | null, number | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve([code, signal === null ? null : signalNumber(signal)]));
  });
}

function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}

/** Undefined when there is no such process, or only what is left of one until its parent looks (a zombie). */
export function readProcess(pid: number): ProcessEntry | undefined {
  try {
    // The name stands in parentheses and may hold anything: fields are counted from the last ")" (proc(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent] = fields;
    if (state === 'Z' || state === 'X') return undefined;
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return { pid, parent: Number(parent), startTime: Number(fields[19]), argv, netns: netnsOf(pid) };
  } catch {
    return undefined;
  }
}

function netnsOf(pid: number): number | undefined {
  try {
    const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined;
  }
}

/** All processes that can be seen from here. */
export function listProcesses(): readonly ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((entry) => entry !== undefined);
}

/** Our own process and all that it descends from. */
export function ownLineage(): ReadonlySet<number> {
  const lineage = new Set<number>();
  for (let pid = process.pid; pid > 0 && !lineage.has(pid); ) {
    lineage.add(pid);
    pid = readProcess(pid)?.parent ?? 0;
  }
  return lineage;
}

export function isRunning(identity: ProcessIdentity): boolean {
  return readProcess(identity.pid)?.startTime === identity.startTime;
}

/** SIGTERM, and after `grace` milliseconds SIGKILL for those that are still there. Resolves when all are gone. */
export async function stopProcesses(
  identities: readonly ProcessIdentity[],
  options: { readonly grace: number },
): Promise<void> {
  let left = signalAll(identities, 'SIGTERM');
  const deadline = performance.now() + options.grace;
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(10);
    left = left.filter(isRunning);
  }
  left = signalAll(left, 'SIGKILL');
  while (left.length > 0) {
    await sleep(10);
    left = left.filter(isRunning);
  }
}

function signalAll(
  identities: readonly ProcessIdentity[],
  signal: 'SIGTERM' | 'SIGKILL',
): readonly ProcessIdentity[] {
  return identities.filter((identity) => {
    if (!isRunning(identity)) return false;
    try {
      process.kill(identity.pid, signal);
      return true;
    } catch {
      // Gone between the look and the signal.
      return false;
    }
  });
}

/** Resident memory in bytes; undefined when the process is gone. */
export function residentMemory(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** What a process has read so far (/proc/PID/io, proc(5)): read() and its kin, whatever they read from; a look at a name is none of them. */
export interface ProcessReads {
  readonly calls: number;
  readonly bytes: number;
}

/** Undefined when the process is gone or another user's. */
export function processReads(pid: number): ProcessReads | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/io`, 'latin1');
    const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
    return { calls: field('syscr'), bytes: field('rchar') };
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
