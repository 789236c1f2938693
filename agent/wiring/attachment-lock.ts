// Keeps two operations on one attachment apart, in one process or in several (the agent, a plugin that works without it).
// Different attachments do not wait for each other. A killed process leaves no lock, only an empty file that is used again.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '../../kernel/file-lock.ts';
import { type Attachment, attachmentFileName } from './attachment.ts';
import { CniError, cniCodes } from './cni-error.ts';

export interface AttachmentLockOptions {
  /** Where the lock files are; made (0700) if missing. Gone after a reboot, as /run is. */
  readonly directory: string;
  /** Milliseconds to wait for another operation on the attachment; 0 refuses at once. */
  readonly waitMs: number;
}

/** Rejects with CniError (try again later) while another operation on the attachment is under way. */
export async function withAttachmentLock<T>(
  attachment: Attachment,
  action: () => Promise<T>,
  { directory, waitMs }: AttachmentLockOptions,
): Promise<T> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = await lockFile(join(directory, attachmentFileName(attachment)), { wait: waitMs });
  if (lock === undefined) {
    const { containerId, ifname, network } = attachment;
    throw new CniError(
      cniCodes.tryAgainLater,
      `Another operation on interface "${ifname}" of container "${containerId}" is under way`,
      { details: `in network ${network}` },
    );
  }
  try {
    return await action();
  } finally {
    lock.release();
  }
}
