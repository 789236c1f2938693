// Reads all lease files of a directory, again and again: files that did not change are not read, and one that turns invalid
// keeps its last good lease while it stays. Which of the leases count is decided in select-leases.ts.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import { decodeLease } from '../lease-codec.ts';
import { type LeaseSubnets, parseLeaseKey } from '../lease-key.ts';
import type { LeaseRecord } from '../lease-record.ts';
import type { StoreProblem } from '../lease-store.ts';
import { StoreError } from '../store-error.ts';
import { errnoOf } from './errno.ts';
import { type LeaseDirectory, readPlainFile } from './lease-directory.ts';

export type Scan = {
  /**
   * By key: files whose name is a lease key, readable or not. A file that did not change is the same object as before. Not a
   * copy: it is as the scan left it until something is awaited.
   */
  readonly files: ReadonlyMap<string, LeaseRecord>;
  /** Names that are no lease key, and unreadable files; by path. */
  readonly problems: readonly StoreProblem[];
};

/** A file written this recently may be written again within the same tick of the file system's clock. */
const tickMs = 100;

/** Longest time that files are looked at without letting other work go on. */
const sliceMs = 8;

const suffix = '.json';

type Known = LeaseRecord & { readonly signature: string; readonly bytes: Uint8Array | undefined };

export class LeaseScan {
  readonly #directory: LeaseDirectory;
  /** By key. */
  readonly #files = new Map<string, Known>();
  /** By file name: unreadable ones, and what no lease file is named like. */
  readonly #problems = new Map<string, StoreProblem>();
  #changed: Set<string> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: LeaseDirectory) {
    this.#directory = directory;
  }

  /**
   * Reads what changed: among the names given, else everywhere. Scans run one after another, so that an older one never
   * replaces what a newer one knows.
   */
  scan(names?: ReadonlySet<string>): Promise<Scan> {
    const scan = this.#last.then(
      () => this.#scan(names),
      () => this.#scan(names),
    );
    this.#last = scan;
    return scan;
  }

  /** Keys of the files that may differ since the last call; undefined after a look at everything. */
  takeChanged(): ReadonlySet<string> | undefined {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  async #scan(only: ReadonlySet<string> | undefined): Promise<Scan> {
    const names = only ?? new Set(this.#directory.names());
    let start = performance.now();
    for (const name of names) {
      if (name.startsWith('.')) continue;
      if (performance.now() - start > sliceMs) {
        await otherWork();
        start = performance.now();
      }
      this.#keep(name, this.#look(name));
    }
    if (only === undefined) {
      for (const key of this.#files.keys()) if (!names.has(`${key}${suffix}`)) this.#files.delete(key);
      for (const name of this.#problems.keys()) if (!names.has(name)) this.#problems.delete(name);
      this.#changed = undefined;
    }
    const problems = [...this.#problems.values()].sort((a, b) => (a.object < b.object ? -1 : 1));
    return { files: this.#files, problems };
  }

  #keep(name: string, found: Known | StoreProblem | undefined): void {
    const key = keyOf(name);
    const file = found !== undefined && 'key' in found ? found : undefined;
    if (file === undefined) this.#files.delete(key);
    else this.#files.set(key, file);
    this.#changed?.add(key);
    const message = found === undefined ? undefined : 'key' in found ? found.problem : found.message;
    if (message === undefined) this.#problems.delete(name);
    else this.#problems.set(name, { object: join(this.#directory.subnetsPath, name), message });
  }

  /** What the name leads to now; undefined when there is nothing. */
  #look(name: string): Known | StoreProblem | undefined {
    const path = join(this.#directory.subnetsPath, name);
    const key = keyOf(name);
    const before = this.#files.get(key);
    const subnets = before?.subnets ?? subnetsOfName(name, path);
    // What is no file is nobody's lease, but its name is taken, and nobody may remove it.
    let renewedAt = Number.POSITIVE_INFINITY;
    try {
      // Before anything is said of it: also what is misnamed goes away.
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) return undefined;
      if (subnets instanceof StoreError) return { object: path, message: subnets.message };
      const signature = `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
      if (before?.signature === signature) return before;
      if (stats.isFile()) renewedAt = stats.mtimeMs;
      const content = readPlainFile(path);
      if (content === undefined) return undefined;
      const cacheable = Math.abs(Date.now() - stats.ctimeMs) > tickMs;
      const file = { key, path, subnets, problem: undefined, renewedAt: content.modifiedAt };
      const { bytes } = content;
      // The same object for the same bytes, so that a renewal is seen to change nothing else.
      const same = before?.bytes !== undefined && Buffer.compare(before.bytes, bytes) === 0;
      const lease = same ? before.lease : decodeLease(subnets, bytes, { object: path });
      return this.#dated({ ...file, lease, bytes, signature: cacheable ? signature : '' }, before);
    } catch (error) {
      const problem =
        error instanceof StoreError ? error.message : `Cannot read "${path}": ${errnoOf(error) ?? error}`;
      if (subnets instanceof StoreError) return { object: path, message: problem };
      const file = { key, path, subnets, problem, renewedAt, signature: '' };
      return this.#dated({ ...file, lease: before?.lease, bytes: before?.bytes }, before);
    }
  }

  /** The file as it was when it says nothing new, else with its lease dated. */
  #dated(file: Omit<Known, 'dated'>, before: Known | undefined): Known {
    const { lease, renewedAt } = file;
    if (lease === undefined) return { ...file, dated: undefined };
    if (before?.lease !== lease || before.renewedAt !== renewedAt) {
      const expiresAt = Number.isFinite(renewedAt) ? renewedAt + this.#directory.ttlMs : undefined;
      return { ...file, dated: { ...lease, expiresAt } };
    }
    const same = before.problem === file.problem && before.signature === file.signature;
    return same ? before : { ...file, dated: before.dated };
  }
}

/** Empty when the name is not of that form, and so no key of a lease. */
function keyOf(name: string): string {
  return name.endsWith(suffix) ? name.slice(0, -suffix.length) : '';
}

function subnetsOfName(name: string, path: string): LeaseSubnets | StoreError {
  if (!name.endsWith(suffix)) {
    const problem = { code: 'invalid', object: path } as const;
    return new StoreError(`Cannot read "${path}": a lease file is named KEY.json`, problem);
  }
  try {
    return parseLeaseKey(keyOf(name), path);
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}
