// host-local's lock: flock on the file "lock" in a network's directory. Held only over synchronous work, so that whoever waits
// (host-local itself, the plugin, the agent) waits for a few file operations at most.
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { flock, LOCK_EX, LOCK_NB } from '../../kernel/libc.ts';
import { CniError, cniCodes } from '../wiring/cni-error.ts';

export interface DirectoryLockOptions {
  /** Milliseconds to wait for another holder. */
  readonly timeoutMs?: number;
}

/** Milliseconds between two tries: another process's work under the lock takes less than one. */
const retryAfter = 2;

/**
 * Makes the directory (0755) if need be and runs `action` under its lock. `action` must not be asynchronous: the lock is given
 * back when it returns. Rejects with CniError (try again later) when another process keeps the lock.
 */
export async function withDirectoryLock<T>(
  directory: string,
  action: () => T,
  { timeoutMs = 10_000 }: DirectoryLockOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    // O_CLOEXEC is Node's default; the mode is host-local's.
    const fd = openSync(join(directory, 'lock'), constants.O_CREAT | constants.O_RDWR, 0o750);
    try {
      if (flock(fd, LOCK_EX | LOCK_NB)) return action();
    } finally {
      closeSync(fd);
    }
    if (performance.now() >= deadline) {
      throw new CniError(cniCodes.tryAgainLater, `Cannot lock "${directory}": another process holds it`, {
        details: `waited ${timeoutMs} ms`,
      });
    }
    await sleep(retryAfter);
  }
}
