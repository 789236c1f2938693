// A lab's state in memory and on disk together, held by the one command that may change it (by its lock).
import { mkdirSync, rmdirSync } from 'node:fs';
import { lockFile } from '../../kernel/file-lock.ts';
import { labRoot } from './lab-plan.ts';
import { type LabPod, type LabProcess, type LabState, writeLabState } from './lab-state.ts';

export interface LabRecord {
  readonly state: LabState;
  /** Changes the state and writes it before it returns. */
  update(change: (state: LabState) => LabState): void;
}

export function labRecord(first: LabState): LabRecord {
  let state = first;
  writeLabState(state);
  return {
    get state() {
      return state;
    },
    update(change) {
      state = change(state);
      writeLabState(state);
    },
  };
}

export function withProcess(state: LabState, added: LabProcess): LabState {
  const others = state.processes.filter((process) => process.name !== added.name);
  return { ...state, processes: [...others, added] };
}

/** Adds a pod or replaces what is known of it. */
export function withPod(state: LabState, pod: LabPod): LabState {
  const known = state.pods.some(({ name }) => name === pod.name);
  const pods = known
    ? state.pods.map((other) => (other.name === pod.name ? pod : other))
    : [...state.pods, pod];
  return { ...state, pods };
}

export function withoutPod(state: LabState, name: string): LabState {
  return { ...state, pods: state.pods.filter((pod) => pod.name !== name) };
}

/** How long a command waits for another that changes the same lab. */
const longestWait = 60_000;

/** Runs `action` while nobody else changes the lab. Throws Error when another command does not end. */
export async function withLabLock<T>(
  lab: string,
  { signal, action }: { readonly signal: AbortSignal; readonly action: () => Promise<T> },
): Promise<T> {
  mkdirSync(labRoot, { recursive: true, mode: 0o700 });
  const lock = await lockFile(lockPath(lab), { wait: longestWait, signal });
  if (lock === undefined) {
    throw new Error(`Cannot change lab "${lab}": another command has been at it for ${longestWait / 1000} s`);
  }
  try {
    return await action();
  } finally {
    lock.release();
    removeRootIfEmpty();
  }
}

export function lockPath(lab: string): string {
  return `${labRoot}/${lab}.lock`;
}

function removeRootIfEmpty(): void {
  try {
    rmdirSync(labRoot);
  } catch {
    // A lab lives there.
  }
}
