// Reads all lease files of a directory, again and again: files that did not change are not read, and one that turns invalid
// keeps its last good lease while it stays. Which of the leases count is decided in select-leases.ts.
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lease } from '../lease.ts';
import { type LeaseSubnets, parseLeaseKey } from '../lease-key.ts';
import type { StoreProblem } from '../lease-store.ts';
import { StoreError } from '../store-error.ts';
import { errnoOf } from './errno.ts';
import { type LeaseDirectory, type LeaseFile, readPlainFile } from './lease-directory.ts';

export type Scan = {
  /** By name. Files whose name is a lease key, readable or not. */
  readonly files: readonly LeaseFile[];
  /** Names that are no lease key, and unreadable files. */
  readonly problems: readonly StoreProblem[];
};

/** A file written this recently may be written again within the same tick of the file system's clock. */
const tickMs = 100;

/** Files looked at together: enough to keep the thread pool busy. */
const together = 64;

type Known = LeaseFile & { readonly signature: string; readonly bytes: Uint8Array | undefined };

export class LeaseScan {
  readonly #directory: LeaseDirectory;
  /** By file name. */
  #known: ReadonlyMap<string, Known | StoreProblem> = new Map();
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

  async #scan(only: ReadonlySet<string> | undefined): Promise<Scan> {
    const known = new Map(only === undefined ? [] : this.#known);
    const names = [...(only ?? (await this.#directory.names()))].filter((name) => !name.startsWith('.'));
    for (let start = 0; start < names.length; start += together) {
      const slice = names.slice(start, start + together);
      const found = await Promise.all(slice.map(async (name) => ({ name, entry: await this.#look(name) })));
      for (const { name, entry } of found) {
        if (entry === undefined) known.delete(name);
        else known.set(name, entry);
      }
    }
    this.#known = known;
    const entries = [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
    const files = entries.filter((entry) => 'key' in entry);
    const problems = entries.flatMap((entry) => {
      if (!('key' in entry)) return [entry];
      return entry.problem === undefined ? [] : [{ object: entry.path, message: entry.problem }];
    });
    return { files, problems };
  }

  async #look(name: string): Promise<Known | StoreProblem | undefined> {
    const path = join(this.#directory.subnetsPath, name);
    const subnets = subnetsOfName(name, path);
    if (subnets instanceof StoreError) return { object: path, message: subnets.message };
    const last = this.#known.get(name);
    const before = last !== undefined && 'key' in last ? last : undefined;
    const key = name.slice(0, -'.json'.length);
    // What is no file is nobody's lease, but its name is taken, and nobody may remove it.
    const broken = (problem: string, renewedAt = Number.POSITIVE_INFINITY): Known => {
      const lease = before?.lease;
      return { key, path, subnets, renewedAt, lease, problem, signature: '', bytes: undefined };
    };
    let renewedAt: number | undefined;
    try {
      const stats = await lstat(path);
      if (stats.isFile()) renewedAt = stats.mtimeMs;
      const signature = [stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(' ');
      if (before?.signature === signature) return before;
      const content = await readPlainFile(path);
      if (content === undefined) return undefined;
      const cacheable = Math.abs(Date.now() - stats.ctimeMs) > tickMs;
      const lease = this.#decode(key, { bytes: content.bytes, before });
      return {
        ...{ key, path, subnets, lease, problem: undefined },
        renewedAt: content.modifiedAt,
        signature: cacheable ? signature : '',
        bytes: content.bytes,
      };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      if (!(error instanceof StoreError))
        return broken(`Cannot read "${path}": ${errnoOf(error) ?? String(error)}`);
      return broken(error.message, renewedAt);
    }
  }

  /** The same object for the same bytes, so that a renewal is seen to change nothing else. */
  #decode(
    key: string,
    { bytes, before }: { readonly bytes: Uint8Array; readonly before: Known | undefined },
  ): Lease {
    const same = before?.bytes !== undefined && Buffer.compare(before.bytes, bytes) === 0;
    return same && before.lease !== undefined ? before.lease : this.#directory.decode(key, bytes);
  }
}

function subnetsOfName(name: string, path: string): LeaseSubnets | StoreError {
  if (!name.endsWith('.json')) {
    return new StoreError(`Cannot read "${path}": a lease file is named KEY.json`, {
      code: 'invalid',
      object: path,
    });
  }
  try {
    return parseLeaseKey(name.slice(0, -'.json'.length), path);
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}
