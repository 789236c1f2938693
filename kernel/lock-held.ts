// Whether somebody holds a lock of file-lock.ts or of flock(1). A look only: it neither makes the file nor waits.
import { isNotFound } from './kernel-error.ts';
import * as libc from './libc.ts';

const O_RDWR = 2;

/** False when there is no such file. The lock of a file that nobody holds is taken for the blink of an eye. */
export function isLockHeld(path: string): boolean {
  let fd: number;
  try {
    fd = libc.open(path, O_RDWR);
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
  try {
    return !libc.flock(fd, libc.LOCK_EX | libc.LOCK_NB);
  } finally {
    libc.close(fd);
  }
}
