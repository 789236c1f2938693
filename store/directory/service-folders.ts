// Which folders of a directory of manifests may be entered, and what is known of them. Links are followed, but not in circles.
import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errno.ts';

/** Deeper than anybody sorts manifests, and an end to what links can make. */
const deepestFolder = 8;
const mostFolders = 1000;

export interface Folder {
  /** Without symbolic links. */
  readonly realPath: string;
  /** Tells folders apart whatever they are called. */
  readonly identity: string;
  /** Tells it from one that was there before, though a file system may give both the same number. */
  readonly bornAt: number;
  /** Paths of the files and folders in it that are looked at. */
  children: Set<string>;
}

/** The folder that a path is in; the directory itself is "" and in none. */
export function folderOf(path: string): string {
  const folder = dirname(path);
  return folder === '.' ? '' : folder;
}

/**
 * The folder at a path from the directory on, or in words why it is none that can be entered. `missing`: there is nothing. What is
 * known of the same folder is kept.
 */
export function enterFolder(
  path: string,
  { fullPath, folders }: { readonly fullPath: string; readonly folders: ReadonlyMap<string, Folder> },
): Folder | 'missing' | { readonly reason: string } {
  const known = folders.get(path);
  let realPath: string;
  let identity: string;
  let bornAt: number;
  try {
    const stats = statSync(fullPath);
    if (!stats.isDirectory()) return { reason: 'it is not a directory' };
    realPath = realpathSync(fullPath);
    identity = `${stats.dev}:${stats.ino}`;
    bornAt = stats.birthtimeMs;
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'missing' : { reason: errnoOf(error) ?? String(error) };
  }
  for (let above = path; above !== ''; ) {
    above = folderOf(above);
    if (folders.get(above)?.identity === identity)
      return { reason: 'it is a link to a folder that it is in' };
  }
  if (path.split('/').length > deepestFolder)
    return { reason: `it is more than ${deepestFolder} folders deep` };
  if (known === undefined && folders.size >= mostFolders) {
    return { reason: `there are more than ${mostFolders} folders` };
  }
  return { realPath, identity, bornAt, children: known?.children ?? new Set() };
}
