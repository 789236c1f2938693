// Gives a finished file its name, unless the name is taken: of several machines that try at once, one succeeds. Not what the files hold.
import { link, lstat, open, readFile, unlink } from 'node:fs/promises';
import { errnoOf } from './errno.ts';

/** What link(2) says where there are no hard links: vboxsf, vfat and exfat; cifs; what FUSE serves without them. */
const withoutLinks: ReadonlySet<string | undefined> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS']);

export interface ExclusiveFileOptions {
  /** link(2). */
  readonly link?: (existing: string, path: string) => Promise<void>;
}

/**
 * True when the file at `temporary` is at `path` now, with content and modification time; false when another is. `temporary` stays.
 * link(2) shows the whole file at once; where there are no hard links, an exclusive creation decides (O_EXCL: the server's doing
 * on every file system that machines share), and for a moment others see the name with nothing in it.
 */
export async function placeExclusively(
  { temporary, path }: { readonly temporary: string; readonly path: string },
  { link: linkFile = link }: ExclusiveFileOptions = {},
): Promise<boolean> {
  try {
    await linkFile(temporary, path);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    // NFS repeats a request whose answer was lost: then the link that is in the way may be ours.
    if (code === 'EEXIST') return isSameFile(temporary, path);
    if (!withoutLinks.has(code)) throw error;
  }
  return await copyExclusively(temporary, path);
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([lstat(one), lstat(other)]);
    return a.ino === b.ino && a.dev === b.dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function copyExclusively(temporary: string, path: string): Promise<boolean> {
  const content = await readFile(temporary);
  const { mtimeMs } = await lstat(temporary);
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'wx', 0o644);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await handle.writeFile(content);
    await handle.sync();
    await handle.utimes(mtimeMs / 1000, mtimeMs / 1000);
    await handle.close();
    return true;
  } catch (error) {
    await handle.close().catch(() => {});
    // A name with half a file would keep everybody from it.
    await unlink(path).catch(() => {});
    throw error;
  }
}
