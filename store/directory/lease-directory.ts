// The files of a lease directory and the only operations on them: `config`, and `subnets/KEY.json`, one file a lease. A lease
// file is renewed by its modification time. No operation leaves a file half-written or overwrites what it did not look at.
// Which lease to take is decided elsewhere.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
} from 'node:fs';
import { lstat, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { largestValue } from '../go-json.ts';
import type { Lease } from '../lease.ts';
import { decodeLease } from '../lease-codec.ts';
import { parseLeaseKey } from '../lease-key.ts';
import type { LeaseRecord } from '../lease-record.ts';
import { decodeNetworkConfig, type NetworkConfig } from '../network-config.ts';
import { StoreError } from '../store-error.ts';
import { errnoOf } from './errno.ts';
import { type ExclusiveFileOptions, placeExclusively } from './exclusive-file.ts';

export type LeaseDirectoryOptions = {
  readonly directory: string;
  readonly ttlMs: number;
  readonly now: () => number;
} & ExclusiveFileOptions;

/** A temporary file lives for milliseconds, but one made by `removeIf` is as old as the lease it was. */
const abandonedMs = 60_000;

export type FileContent = {
  readonly bytes: Uint8Array;
  readonly modifiedAt: number;
};

/** Opens for reading; never follows a link or waits on a pipe: others write to the directory. */
function openPlain(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/**
 * Reads a regular file of bounded size; undefined when there is none. Synchronous: for the few hundred bytes of a lease in a
 * local file system this costs a tenth of four trips through the thread pool.
 */
export function readPlainFile(path: string): FileContent | undefined {
  let file: number;
  try {
    file = openPlain(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    const reason = errnoOf(error) === 'ELOOP' ? 'it is a symbolic link' : `open: ${errnoOf(error)}`;
    throw unreadable(path, reason, error);
  }
  try {
    return readOpenFile(file, path);
  } finally {
    closeSync(file);
  }
}

function readOpenFile(file: number, path: string): FileContent {
  const stats = fstatSync(file);
  if (!stats.isFile()) throw unreadable(path, 'it is not a regular file');
  if (stats.size > largestValue) {
    throw unreadable(path, `it has ${stats.size} bytes: at most ${largestValue} are taken`);
  }
  // One byte more, so that a file that grows meanwhile is not taken for whole.
  const buffer = new Uint8Array(stats.size + 1);
  const bytesRead = readSync(file, buffer, 0, buffer.length, 0);
  return { bytes: buffer.subarray(0, bytesRead), modifiedAt: stats.mtimeMs };
}

function unreadable(path: string, message: string, cause?: unknown): StoreError {
  return new StoreError(`Cannot read "${path}"`, {
    code: 'invalid',
    object: path,
    problems: [{ field: '', message }],
    cause,
  });
}

export class LeaseDirectory {
  readonly configPath: string;
  readonly subnetsPath: string;
  readonly ttlMs: number;
  readonly now: () => number;
  readonly #exclusive: ExclusiveFileOptions;

  constructor({ directory, ttlMs, now, ...exclusive }: LeaseDirectoryOptions) {
    this.#exclusive = exclusive;
    this.configPath = join(directory, 'config');
    this.subnetsPath = join(directory, 'subnets');
    this.ttlMs = ttlMs;
    this.now = now;
  }

  pathOf(key: string): string {
    return join(this.subnetsPath, `${key}.json`);
  }

  isExpired({ renewedAt }: Pick<LeaseRecord, 'renewedAt'>): boolean {
    return renewedAt + this.ttlMs < this.now();
  }

  /** Throws StoreError `missing` or `invalid`. */
  readConfig(): NetworkConfig {
    const content = readPlainFile(this.configPath);
    if (content === undefined) {
      throw new StoreError(`Cannot read network configuration "${this.configPath}": there is no such file`, {
        code: 'missing',
        object: this.configPath,
      });
    }
    return decodeNetworkConfig(content.bytes, this.configPath);
  }

  /** Names in the subnets folder, sorted; none when it is not there. */
  names(): readonly string[] {
    try {
      return readdirSync(this.subnetsPath).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw this.#failed('list', this.subnetsPath, error);
    }
  }

  /** Makes the folder, and removes the temporary files of processes that died between writing and linking. */
  async prepare(): Promise<void> {
    try {
      await mkdir(this.subnetsPath, { recursive: true });
      for (const name of this.names()) {
        if (!name.startsWith('.') || !name.endsWith('.tmp')) continue;
        const path = join(this.subnetsPath, name);
        const stats = await lstat(path);
        const age = this.now() - stats.mtimeMs;
        if (stats.isFile() && age > Math.max(this.ttlMs, abandonedMs)) await unlink(path);
      }
    } catch (error) {
      // Another node may have removed the same temporary file.
      if (errnoOf(error) !== 'ENOENT') throw this.#failed('prepare', this.subnetsPath, error);
    }
  }

  /** Creates the lease file; false when there is one already, which is never replaced. */
  async claim(key: string, text: string): Promise<boolean> {
    const temporary = await this.#writeTemporary(key, text);
    try {
      return await placeExclusively({ temporary, path: this.pathOf(key) }, this.#exclusive);
    } catch (error) {
      throw this.#failed('create', this.pathOf(key), error);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Writes a file that `touch` has just found to be ours: nobody else may take it before it expires. */
  async replace(key: string, text: string): Promise<void> {
    const temporary = await this.#writeTemporary(key, text);
    try {
      await rename(temporary, this.pathOf(key));
    } catch (error) {
      await unlink(temporary);
      throw this.#failed('write', this.pathOf(key), error);
    }
  }

  /**
   * Renews the file if it is ours and gives back its lease. `garbled`: its content is no lease, which no holder writes. The
   * time is set on the open file, then the name is checked: whoever moved it away (see `removeIf`) before that either
   * sees the new time and puts it back, or we see here that it is gone.
   */
  touch(key: string, isOurs: (lease: Lease) => boolean): Lease | 'lost' | 'garbled' {
    const path = this.pathOf(key);
    let file: number;
    try {
      file = openPlain(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ELOOP') return 'lost';
      throw this.#failed('renew', path, error);
    }
    try {
      const lease = this.#tryDecode(key, () => readOpenFile(file, path));
      if (lease !== 'garbled' && !isOurs(lease)) return 'lost';
      const seconds = this.now() / 1000;
      futimesSync(file, seconds, seconds);
      return fstatSync(file).ino === lstatSync(path).ino ? lease : 'lost';
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 'lost';
      throw this.#failed('renew', path, error);
    } finally {
      closeSync(file);
    }
  }

  /**
   * Removes the file if the test still holds once nobody else can reach it by its name; else puts it back. True when it
   * is gone. Meanwhile another may claim the name: then that claim stands.
   */
  async removeIf(
    key: string,
    test: (file: Pick<LeaseRecord, 'lease' | 'renewedAt'>) => boolean,
  ): Promise<boolean> {
    const path = this.pathOf(key);
    const aside = this.#temporaryPath(key);
    try {
      await rename(path, aside);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return true;
      throw this.#failed('remove', path, error);
    }
    try {
      const { mtimeMs: renewedAt } = await lstat(aside);
      const lease = this.#tryDecode(key, () => readPlainFile(aside));
      if (test({ lease: lease === 'garbled' ? undefined : lease, renewedAt })) return true;
      await placeExclusively({ temporary: aside, path }, this.#exclusive);
      return false;
    } catch (error) {
      // Another node's `prepare` may take a lease that ended long ago for an abandoned file.
      if (errnoOf(error) === 'ENOENT') return true;
      throw this.#failed('remove', path, error);
    } finally {
      await rm(aside, { force: true });
    }
  }

  #tryDecode(key: string, read: () => FileContent | undefined): Lease | 'garbled' {
    try {
      const content = read();
      if (content === undefined) return 'garbled';
      return decodeLease(parseLeaseKey(key), content.bytes, { object: this.pathOf(key) });
    } catch (error) {
      if (error instanceof StoreError) return 'garbled';
      throw error;
    }
  }

  #temporaryPath(key: string): string {
    return join(this.subnetsPath, `.${key}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  }

  async #writeTemporary(key: string, text: string): Promise<string> {
    const path = this.#temporaryPath(key);
    try {
      await using handle = await open(path, 'wx', 0o644);
      await handle.writeFile(text);
      const seconds = this.now() / 1000;
      await handle.utimes(seconds, seconds);
      // A name must never lead to an empty file, not even after a power cut.
      await handle.sync();
      return path;
    } catch (error) {
      throw this.#failed('write', path, error);
    }
  }

  #failed(action: string, path: string, cause: unknown): StoreError {
    return new StoreError(`Cannot ${action} "${path}": ${errnoOf(cause) ?? String(cause)}`, {
      code: 'unavailable',
      object: path,
      cause,
    });
  }
}
