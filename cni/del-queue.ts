// Runs the DELs that were queued while nobody could do them. What runs them is handed in. It is safe at any time and in several
// processes: an entry is run under its own lock and goes only after it was done, and before an ADD its own entries are.
import { readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cniCodes } from '../agent/wiring/cni-error.ts';
import { lockFile } from '../kernel/file-lock.ts';
import { errorCode, errorMessage } from '../runtime/error-text.ts';
import {
  allNames,
  decodeQueuedDel,
  isNamedAfter,
  type QueuedDel,
  queueDirectory,
  queuedNames,
} from './del-queue-entry.ts';
import type { PluginOutput } from './plugin.ts';
import type { PluginInput } from './request.ts';

export interface ReplayOptions {
  readonly stateDirectory: string;
  /** `runPlugin` with the context of whoever replays. */
  readonly run: (input: PluginInput) => Promise<PluginOutput>;
  /** Only this container's: they are waited for, should another process be at them. All if absent, but for those. */
  readonly containerId?: string;
  /** Milliseconds after which no further one is begun; without limit if absent. */
  readonly timeLimit?: number;
  readonly signal?: AbortSignal;
}

export interface KeptDel extends Pick<QueuedDel, 'containerId' | 'ifname'> {
  readonly why: string;
}

export interface ReplayOutcome {
  readonly done: number;
  /** Failed: they stay for the next time. */
  readonly kept: readonly KeptDel[];
  /** No DELs, or DELs that can never be done: renamed to "*.bad". A line each. */
  readonly spoilt: readonly string[];
}

/** More than a DEL waits for another operation on its attachment. */
const longestWait = 6000;
/** Milliseconds: a temporary file this old is that of a launcher that was killed. */
const abandonedAfter = 60_000;

/** The plugin says with these that the call itself is wrong: it will say so for ever. */
const hopeless: readonly number[] = [
  cniCodes.incompatibleVersion,
  cniCodes.unsupportedField,
  cniCodes.invalidEnvironment,
  cniCodes.decoding,
  cniCodes.invalidConfig,
];

type Entry =
  | { readonly kind: 'done' | 'gone' | 'busy' }
  | { readonly kind: 'kept'; readonly del: KeptDel }
  | { readonly kind: 'spoilt'; readonly line: string };

/** Oldest first. Goes on when one fails. Rejects when the queue cannot be read. */
export async function replayDelQueue(options: ReplayOptions): Promise<ReplayOutcome> {
  const { stateDirectory, containerId, timeLimit = Number.POSITIVE_INFINITY, signal } = options;
  const end = performance.now() + timeLimit;
  const outcome = { done: 0, kept: [] as KeptDel[], spoilt: [] as string[] };
  if (containerId === undefined) removeAbandoned(stateDirectory);
  for (const name of queuedNames(stateDirectory)) {
    if (containerId !== undefined && !isNamedAfter(name, containerId)) continue;
    if (signal?.aborted || performance.now() >= end) break;
    const entry = await replayEntry(join(queueDirectory(stateDirectory), name), options);
    if (entry.kind === 'done') outcome.done += 1;
    if (entry.kind === 'kept') outcome.kept.push(entry.del);
    if (entry.kind === 'spoilt') outcome.spoilt.push(entry.line);
  }
  return outcome;
}

async function replayEntry(path: string, options: ReplayOptions): Promise<Entry> {
  // Who is late finds the entry gone, done by another. Its file goes after the DEL is done: nobody's DEL comes after.
  const wait = options.containerId === undefined ? 0 : longestWait;
  const lock = await lockFile(lockPath(path), { wait });
  try {
    const bytes = read(path);
    if (bytes === undefined) return { kind: 'gone' };
    const del = decodeQueuedDel(bytes);
    if (del === undefined) return lock === undefined ? { kind: 'busy' } : spoil(path, 'it is no DEL');
    const { containerId, ifname, input } = del;
    if (options.containerId !== undefined && containerId !== options.containerId) return { kind: 'gone' };
    if (lock === undefined) {
      if (options.containerId === undefined) return { kind: 'busy' };
      return { kind: 'kept', del: { containerId, ifname, why: 'it is under way' } };
    }
    const { exitCode, stdout } = await options.run(input);
    if (exitCode === 0) {
      rmSync(path, { force: true });
      return { kind: 'done' };
    }
    if (hopeless.includes(codeOf(stdout))) return spoil(path, stdout);
    return { kind: 'kept', del: { containerId, ifname, why: stdout } };
  } finally {
    lock?.release();
  }
}

function lockPath(path: string): string {
  return path.replace(/\/([^/]*)$/, '/.$1.lock');
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    // What cannot be read is no call; its name says whose it was.
    return Buffer.alloc(0);
  }
}

function spoil(path: string, why: string): Entry {
  try {
    renameSync(path, `${path}.bad`);
  } catch (error) {
    return { kind: 'spoilt', line: `Cannot put "${path}" aside: ${errorMessage(error)}` };
  }
  return { kind: 'spoilt', line: `Cannot run the queued DEL "${path}", now "*.bad": ${why}` };
}

function codeOf(stdout: string): number {
  try {
    return Number(JSON.parse(stdout).code);
  } catch {
    return Number.NaN;
  }
}

function removeAbandoned(stateDirectory: string): void {
  for (const name of allNames(stateDirectory)) {
    if (!name.startsWith('.') || !name.endsWith('.tmp')) continue;
    const path = join(queueDirectory(stateDirectory), name);
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - modified > abandonedAfter) rmSync(path, { force: true });
  }
}
