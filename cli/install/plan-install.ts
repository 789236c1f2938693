// From what is wanted, what is there and what was made before to the steps of an installation. Pure: how the node looks is handed in.
import { dirname } from 'node:path';
import type { Item } from './item.ts';
import type { InstallRecord } from './record.ts';
import type { InstallStep } from './step.ts';

export interface NodeLook {
  /** As item.ts says it; undefined when nothing is there. */
  readonly found: (path: string, as: Item['kind']) => string | undefined;
  readonly wanted: (item: Item) => string;
}

export interface InstallPlan {
  readonly steps: readonly InstallStep[];
  /** What stays as it is on purpose, and why. */
  readonly left: readonly string[];
  /** Before the steps are done, and when they are. */
  readonly before: InstallRecord;
  readonly after: InstallRecord;
}

export interface PlanInput {
  readonly version: string;
  readonly items: readonly Item[];
  readonly record: InstallRecord | undefined;
  /** Is a recorded item, that is not wanted by this installation, to stay? */
  readonly keeps: (item: { readonly path: string; readonly kind: 'file' | 'link' | 'tree' }) => boolean;
  /** The version to go back to. */
  readonly previous: string | undefined;
}

/** Throws for something at a path of ours that is not ours. */
export function planInstall(input: PlanInput, look: NodeLook): InstallPlan {
  const { version, items, record, keeps, previous } = input;
  const steps: InstallStep[] = [];
  const left: string[] = [];
  const made = new Set<string>();
  const recorded = record?.items ?? {};
  const next: Record<string, InstallRecord['items'][string]> = {};
  const during: Record<string, InstallRecord['items'][string]> = { ...recorded };
  const makeDirectory = (path: string): void => {
    if (path === '/' || made.has(path) || look.found(path, 'directory') !== undefined) return;
    makeDirectory(dirname(path));
    made.add(path);
    steps.push({ kind: 'make-directory', path });
  };
  for (const item of items) {
    if (item.kind === 'directory') {
      makeDirectory(item.path);
      continue;
    }
    const { path, kind } = item;
    const state = look.wanted(item);
    const found = look.found(path, kind);
    const known = recorded[path]?.states ?? [];
    if (found === state) {
      // Also what somebody else had put there: it is as if we had, but not ours to take away.
      if (known.length > 0) next[path] = { kind, states: [state] };
      continue;
    }
    const theirs = found !== undefined && !known.includes(found);
    if (theirs && item.kind === 'file' && item.configuration === true) {
      left.push(`${path}: it was changed; the defaults of ${version} are in ${item.source}`);
      if (known.length > 0) next[path] = { kind, states: known };
      continue;
    }
    if (theirs && known.length === 0)
      throw new Error(`Cannot install "${path}": something is there that Netloom did not make; move it away`);
    makeDirectory(dirname(path));
    steps.push({ kind: 'put', item });
    next[path] = { kind, states: [state] };
    during[path] = { kind, states: [...new Set([...known, state])] };
  }
  const wanted = new Set(items.map(({ path }) => path));
  for (const [path, { kind, states }] of Object.entries(recorded)) {
    if (wanted.has(path)) continue;
    const found = look.found(path, kind);
    if (found === undefined) continue;
    if (keeps({ path, kind })) next[path] = { kind, states };
    // A release has no part that is anybody's to change.
    else if (kind === 'tree' || states.includes(found)) steps.push({ kind: 'remove', path });
    else left.push(`${path}: it was changed since Netloom made it`);
  }
  const directories = [...new Set([...(record?.directories ?? []), ...made])];
  const after = { version, items: next, directories, ...(previous === undefined ? {} : { previous }) };
  return { steps, left, before: { ...(record ?? after), items: during, directories }, after };
}

/** All that is recorded and still as it was made, and the directories that are empty then. */
export function planUninstall(
  record: InstallRecord,
  look: Pick<NodeLook, 'found'>,
): Pick<InstallPlan, 'steps' | 'left'> {
  const steps: InstallStep[] = [];
  const left: string[] = [];
  for (const [path, { kind, states }] of Object.entries(record.items).reverse()) {
    const found = look.found(path, kind);
    if (found === undefined) continue;
    if (kind === 'tree' || states.includes(found)) steps.push({ kind: 'remove', path });
    else left.push(`${path}: it was changed since Netloom made it`);
  }
  for (const path of [...record.directories].reverse()) {
    if (look.found(path, 'directory') !== undefined) steps.push({ kind: 'remove-directory', path });
  }
  return { steps, left };
}
