// Reads one file of manifests as text. What it means is store/kubernetes/'s to say; whether it counts yet, service-files.ts's.
import { isAscii } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, read, readSync, type Stats, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from './errno.ts';

const readAsync = promisify(read);

/** V8's longest text is about twice as long. */
const largestFile = 256 * 1024 * 1024;

/** Up to here a file is read at once: four trips through the thread pool take ten times as long. */
const largestAtOnce = 256 * 1024;

/** Bytes a trip of a longer one. */
const mostAtOnce = 16 * 1024 * 1024;

/** Where short files are read to, one after the other: nothing waits between the read and the text. */
const scratch = Buffer.allocUnsafe(largestAtOnce);

const decoder = new TextDecoder('utf-8', { fatal: true });

/** What tells one state of a file from another, but for two within a tick of the kernel's clock. */
export interface FileStamp {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  readonly modifiedAt: number;
  readonly changedAt: number;
}

export type ManifestFile =
  | { readonly kind: 'missing' }
  | { readonly kind: 'folder' }
  /** It is as `known` says. */
  | { readonly kind: 'same' }
  /** Too big to be read before its writer is done. */
  | { readonly kind: 'growing'; readonly stamp: FileStamp }
  /** With a stamp: it was read, and its content is the reason. */
  | { readonly kind: 'failed'; readonly reason: string; readonly stamp?: FileStamp }
  | { readonly kind: 'text'; readonly text: string; readonly stamp: FileStamp };

function stampOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): FileStamp {
  return { device: dev, inode: ino, size, modifiedAt: mtimeMs, changedAt: ctimeMs };
}

export function isSameStamp(one: FileStamp, other: FileStamp): boolean {
  return (
    one.inode === other.inode &&
    one.device === other.device &&
    one.size === other.size &&
    one.modifiedAt === other.modifiedAt &&
    one.changedAt === other.changedAt
  );
}

/** Follows links, and never waits on a pipe. `known`: of what need not be read again. `isYoung`: may still be written to. */
export async function readManifestFile(
  path: string,
  options: {
    readonly known: FileStamp | undefined;
    readonly isYoung: (stamp: FileStamp) => boolean;
  },
): Promise<ManifestFile> {
  let file: number;
  try {
    const { known } = options;
    if (known !== undefined && isSameStamp(known, stampOf(statSync(path)))) return { kind: 'same' };
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return failure('open', error);
  }
  try {
    const stats = fstatSync(file);
    if (stats.isDirectory()) return { kind: 'folder' };
    if (!stats.isFile()) return { kind: 'failed', reason: 'it is not a regular file' };
    const stamp = stampOf(stats);
    if (stamp.size > largestFile) {
      return { kind: 'failed', reason: `it has ${stamp.size} bytes: at most ${largestFile} are taken` };
    }
    if (stamp.size > largestAtOnce && options.isYoung(stamp)) return { kind: 'growing', stamp };
    const bytes =
      stamp.size <= largestAtOnce
        ? scratch.subarray(0, readSync(file, scratch, 0, stamp.size, 0))
        : await readLong(file, stamp.size);
    const text = decode(bytes);
    return text === undefined
      ? { kind: 'failed', reason: 'it is not UTF-8 text', stamp }
      : { kind: 'text', text, stamp };
  } catch (error) {
    return failure('read', error);
  } finally {
    closeSync(file);
  }
}

/** At most `size` bytes: what comes behind them is told by the next event. */
async function readLong(file: number, size: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(size);
  for (let length = 0; length < size; ) {
    const { bytesRead } = await readAsync(file, buffer, length, Math.min(size - length, mostAtOnce), length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  return buffer;
}

/** Undefined for what is no UTF-8. Of ASCII the decoder makes a text in ten times the time of a copy. */
function decode(bytes: Uint8Array): string | undefined {
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function failure(action: string, error: unknown): ManifestFile {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
  return { kind: 'failed', reason: `${action}: ${code ?? String(error)}` };
}
