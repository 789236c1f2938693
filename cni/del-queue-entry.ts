// A DEL that nobody could do, as a file of the queue: its name, its bytes, how it is written. The launcher writes the same in C
// (cni/launcher/queue-del.c); del-queue.ts runs them.
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { namesIn } from '../runtime/names-in.ts';
import { writeFileAtomicSync } from '../runtime/write-file.ts';
import { type CallVariables, decodeCall, encodeCall } from './call-body.ts';
import type { PluginInput } from './request.ts';

/** As in cni/launcher/queue-del.c. */
const longestQueue = 4096;
const longestId = 128;

export interface QueuedDel {
  readonly containerId: string;
  readonly ifname: string;
  readonly input: PluginInput;
}

export function queueDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'del-queue');
}

/** Names of the entries, oldest first. Others begin with "." (being written, locks) or end with ".bad". */
export function queuedNames(stateDirectory: string): readonly string[] {
  return allNames(stateDirectory).filter((name) => !name.startsWith('.') && !name.endsWith('.bad'));
}

/** Of a queue that was never written to: none. */
export function allNames(stateDirectory: string): readonly string[] {
  return namesIn(queueDirectory(stateDirectory));
}

/** True when the entry of this name may be of the container; only its content says so for sure. */
export function isNamedAfter(name: string, containerId: string): boolean {
  return name.endsWith(`-${containerId.slice(0, longestId)}`);
}

/** Undefined for what is no DEL of an interface of a container. */
export function decodeQueuedDel(bytes: Buffer): QueuedDel | undefined {
  const input = decodeCall(bytes);
  if (input === undefined || input.env['CNI_COMMAND'] !== 'DEL') return undefined;
  const { CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifname = '' } = input.env;
  return containerId === '' || ifname === '' ? undefined : { containerId, ifname, input };
}

/** Durable when it returns. `env` is that of a DEL with a valid container id. Throws Error when it cannot be written. */
export function queueDel(
  { env, stdin }: { readonly env: CallVariables; readonly stdin: Uint8Array },
  stateDirectory: string,
): void {
  const directory = queueDirectory(stateDirectory);
  mkdirSync(stateDirectory, { recursive: true, mode: 0o755 });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  syncDirectory(dirname(directory));
  if (allNames(stateDirectory).filter((name) => !name.startsWith('.')).length >= longestQueue)
    throw new RangeError(`Cannot queue a DEL: "${directory}" is full`);
  const name = entryName(env['CNI_CONTAINERID'] ?? '');
  writeFileAtomicSync(join(directory, name), encodeCall(env, stdin), { mode: 0o600, durable: true });
}

/** Sorted by name, entries are sorted by time. */
function entryName(containerId: string): string {
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  const nanoseconds = (BigInt(now % 1000) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n)).toString();
  const time = `${String(seconds).padStart(10, '0')}.${nanoseconds.padStart(9, '0')}`;
  return `${time}-${process.pid}-${containerId.slice(0, longestId)}`;
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
