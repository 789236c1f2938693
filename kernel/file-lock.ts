// A lock that ends with its holder, however that dies: flock(2) on a file that exists only while somebody wants it.
import { fstatSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as libc from './libc.ts';

const O_RDWR = 2;
const O_CREAT = 0o100;
const retryEvery = 5;

export interface FileLock {
  /** Removes the file and gives the lock up. Twice is harmless. */
  release(): void;
}

/**
 * Takes the lock at `path`, whose directory must exist; waits for its holder as long as `wait` milliseconds. Undefined when
 * it is held by another until then.
 */
export async function lockFile(
  path: string,
  options: { readonly wait: number; readonly signal?: AbortSignal | undefined },
): Promise<FileLock | undefined> {
  const deadline = performance.now() + options.wait;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (performance.now() >= deadline) return undefined;
    await sleep(retryEvery, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

function tryLock(path: string): FileLock | undefined {
  const fd = libc.open(path, O_RDWR | O_CREAT, 0o600);
  let held = false;
  try {
    // The holder before us removes the file: a lock on what no longer has the name is none.
    held = libc.flock(fd, libc.LOCK_EX | libc.LOCK_NB) && isFileAt(path, fd);
  } finally {
    if (!held) libc.close(fd);
  }
  if (!held) return undefined;
  return {
    release() {
      if (!held) return;
      held = false;
      rmSync(path, { force: true });
      libc.close(fd);
    },
  };
}

function isFileAt(path: string, fd: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(fd);
  return there !== undefined && there.dev === open.dev && there.ino === open.ino;
}
