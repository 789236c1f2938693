// Finds and removes all that belongs to a lab: its processes, namespaces and files. Everything is found by the lab's name, so
// it works after a crash at any moment and without a state file. Running it again is harmless. The caller holds the lab's lock.
import { readdirSync, rmSync, statSync } from 'node:fs';
import { removeNetns } from '../../kernel/netns.ts';
import {
  isRunning,
  listProcesses,
  ownLineage,
  type ProcessIdentity,
  stopProcesses,
} from '../../kernel/process.ts';
import { isLabName, labDirectory, labNetnsPrefix, netnsPath, netnsRoot } from './lab-plan.ts';
import { labDirectories, readLabState } from './lab-state.ts';

export interface Swept {
  readonly processes: number;
  readonly namespaces: number;
  /** Whether there was a directory. */
  readonly files: boolean;
}

/** How long processes may take to end by themselves, in milliseconds. What they would tidy up goes anyway. */
const grace = 200;

export async function sweepLab(lab: string): Promise<Swept> {
  let processes = 0;
  // A process may start another one while we look: until a look finds none.
  for (;;) {
    const found = labProcesses(lab);
    if (found.length === 0) break;
    processes += found.length;
    await stopProcesses(found, { grace });
  }
  const names = labNamespaces(lab);
  for (const name of names) removeNetns(netnsPath(name));
  const files = exists(labDirectory(lab));
  rmSync(labDirectory(lab), { recursive: true, force: true });
  return { processes, namespaces: names.length, files };
}

/** Names of the namespaces that carry the lab's name. */
export function labNamespaces(lab: string): readonly string[] {
  return netnsNames().filter((name) => name.startsWith(labNetnsPrefix(lab)));
}

/** Names of all labs of which something is left: a directory or a namespace. */
export function knownLabs(): readonly string[] {
  const fromNamespaces = netnsNames()
    .map((name) => /^netloom-([a-z][a-z0-9]{0,15})-/.exec(name)?.[1])
    .filter((lab) => lab !== undefined)
    .filter(isLabName);
  return [...new Set([...labDirectories(), ...fromNamespaces])].sort();
}

function netnsNames(): readonly string[] {
  try {
    return readdirSync(netnsRoot);
  } catch {
    return [];
  }
}

/**
 * Those that the state file names and that are still the same, those that live in one of the lab's namespaces, and those
 * on their way into one (nsenter before it has entered). Never ourselves nor who started us.
 */
function labProcesses(lab: string): readonly ProcessIdentity[] {
  const inodes = new Set(labNamespaces(lab).map((name) => inodeOf(netnsPath(name))));
  const entering = `--net=${netnsPath(labNetnsPrefix(lab))}`;
  const own = ownLineage();
  const found = listProcesses().filter(
    (entry) =>
      (entry.netns !== undefined && inodes.has(entry.netns)) ||
      entry.argv.some((argument) => argument.startsWith(entering)),
  );
  const byPid = new Map<number, ProcessIdentity>(found.map((entry) => [entry.pid, entry]));
  for (const recorded of recordedProcesses(lab)) if (isRunning(recorded)) byPid.set(recorded.pid, recorded);
  return [...byPid.values()].filter((entry) => !own.has(entry.pid));
}

function recordedProcesses(lab: string): readonly ProcessIdentity[] {
  try {
    return readLabState(lab)?.processes ?? [];
  } catch {
    // A state file that cannot be read must not keep the rest from being removed.
    return [];
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
