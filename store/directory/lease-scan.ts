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
  #known: ReadonlyMap<string, Known> = new Map();
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: LeaseDirectory) {
    this.#directory = directory;
  }

  /** Reads what changed. Scans run one after another, so that an older one never replaces what a newer one knows. */
  scan(): Promise<Scan> {
    const scan = this.#last.then(
      () => this.#scan(),
      () => this.#scan(),
    );
    this.#last = scan;
    return scan;
  }

  async #scan(): Promise<Scan> {
    const known = new Map<string, Known>();
    const problems: StoreProblem[] = [];
    const names = (await this.#directory.names()).filter((name) => !name.startsWith('.'));
    for (let start = 0; start < names.length; start += together) {
      const slice = names.slice(start, start + together);
      const results = await Promise.all(slice.map((name) => this.#look(name)));
      for (const [i, result] of results.entries()) {
        if (result === undefined) continue;
        if ('key' in result) known.set(slice[i] ?? '', result);
        else problems.push(result);
      }
    }
    this.#known = known;
    const files = [...known.values()];
    for (const { path, problem } of files) {
      if (problem !== undefined) problems.push({ object: path, message: problem });
    }
    return { files, problems };
  }

  async #look(name: string): Promise<Known | StoreProblem | undefined> {
    const path = join(this.#directory.subnetsPath, name);
    const subnets = subnetsOfName(name, path);
    if (subnets instanceof StoreError) return { object: path, message: subnets.message };
    const before = this.#known.get(name);
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
