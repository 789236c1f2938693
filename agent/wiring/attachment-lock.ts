// Keeps two operations on one attachment apart, in one process or in several (the agent, a plugin that works without it).
// Different attachments do not wait for each other. A killed process leaves no lock, only an empty file that is used again.
import { closeSync, constants, fstatSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { flock, LOCK_EX, LOCK_NB } from '../../kernel/libc.ts';
import { type Attachment, attachmentFileName } from './attachment.ts';
import { CniError, cniCodes } from './cni-error.ts';

export interface AttachmentLockOptions {
  /** Where the lock files are; made (0700) if missing. Gone after a reboot, as /run is. */
  readonly directory: string;
  /** Milliseconds to wait for another operation on the attachment; 0 refuses at once. */
  readonly waitMs: number;
}

const retryAfter = 5;

/** Rejects with CniError (try again later) while another operation on the attachment is under way. */
export async function withAttachmentLock<T>(
  attachment: Attachment,
  action: () => Promise<T>,
  { directory, waitMs }: AttachmentLockOptions,
): Promise<T> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, attachmentFileName(attachment));
  const fd = await take(path, { attachment, waitMs });
  try {
    return await action();
  } finally {
    // Before the lock goes: whoever opened the file meanwhile sees that it is not the one in the directory any more.
    rmSync(path, { force: true });
    closeSync(fd);
  }
}

async function take(
  path: string,
  { attachment, waitMs }: { readonly attachment: Attachment; readonly waitMs: number },
): Promise<number> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const fd = openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600);
    if (flock(fd, LOCK_EX | LOCK_NB) && isStillAt(path, fd)) return fd;
    closeSync(fd);
    if (performance.now() >= deadline) {
      const { containerId, ifname, network } = attachment;
      throw new CniError(
        cniCodes.tryAgainLater,
        `Another operation on interface "${ifname}" of container "${containerId}" is under way`,
        { details: `in network ${network}` },
      );
    }
    await sleep(retryAfter);
  }
}

function isStillAt(path: string, fd: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}
