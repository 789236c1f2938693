// Replaces a file in one step: a reader sees the old bytes or the new ones, never a half. It does not lock, and a
// symbolic link at the path is replaced, not followed.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync as writeFdSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorMessage } from './error-text.ts';

export interface WriteFileOptions {
  /** Permission bits, whatever the umask is. 0o644 unless given. */
  readonly mode?: number;
  /** Also wait until the bytes and the name are on the disk: slower, survives a power cut. */
  readonly durable?: boolean;
}

// Hidden and with an ending of its own, so that programs which read every *.conflist or *.json pass it over.
function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

function failure(path: string, cause: unknown): Error {
  return new Error(`Cannot write "${path}": ${errorMessage(cause)}`, { cause });
}

/** Writes `data` to `path`. Rejects with an Error whose `cause` is Node's; the old file is then as it was. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  { mode = 0o644, durable = false }: WriteFileOptions = {},
): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.chmod(mode);
      await file.writeFile(data);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (durable) await syncDirectory(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    throw failure(path, cause);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** `writeFileAtomic` for code that must not wait: within another namespace, or under a lock that others wait for. */
export function writeFileAtomicSync(
  path: string,
  data: string | Uint8Array,
  { mode = 0o644, durable = false }: WriteFileOptions = {},
): void {
  const temporary = temporaryPath(path);
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      fchmodSync(file, mode);
      writeFdSync(file, data);
      if (durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    if (durable) syncDirectorySync(dirname(path));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw failure(path, cause);
  }
}

function syncDirectorySync(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
