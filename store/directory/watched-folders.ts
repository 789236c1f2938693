// Which folders have to be watched to hear of every change in a directory of manifests. Not how one is watched: folder-watch.ts.
import { lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Folder } from './service-folders.ts';

/** No paths of folders: where the link is that the directory is, and the directory while it is not there. */
export const linkKey = '/link';
export const missingKey = '/missing';

/**
 * A folder that was removed and made anew gets a new watch, though chokidar would follow: what is written before chokidar does is
 * reported to nobody, while a new watch says when it is ready.
 */
export interface WatchedFolder {
  readonly folder: string;
  readonly incarnation: string;
}

/** By path from the directory on, or one of the keys above. */
export function watchedFolders(
  directory: string,
  folders: ReadonlyMap<string, Omit<Folder, 'children'>>,
): Map<string, WatchedFolder> {
  const wanted = new Map<string, WatchedFolder>();
  for (const [path, { realPath, identity, bornAt }] of folders) {
    wanted.set(path, { folder: realPath, incarnation: `${identity} ${bornAt}` });
  }
  if (!wanted.has('')) wanted.set(missingKey, { folder: directory, incarnation: '' });
  const link = linkFolder(directory);
  if (link !== undefined) wanted.set(linkKey, { folder: link, incarnation: '' });
  return wanted;
}

/** Where the link is, if the directory is one: what it leads to may be replaced as a whole. */
function linkFolder(directory: string): string | undefined {
  try {
    return lstatSync(directory).isSymbolicLink() ? realpathSync(dirname(directory)) : undefined;
  } catch {
    return undefined;
  }
}
