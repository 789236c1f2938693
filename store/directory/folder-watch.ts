// Reports what changes in one folder, without those below it. Only that something changed, and under which name: what is there now
// is read elsewhere. A folder that is not there yet, or is replaced, is watched as soon as it is.
import { basename, dirname } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { errnoOf } from './errno.ts';
import { pathOfRawEvent } from './raw-event.ts';

export interface FolderWatchOptions {
  /** Absolute, and no part of it a symbolic link: events name the real path. */
  readonly folder: string;
  /** Undefined: anything in the folder may have changed, or the folder itself. */
  readonly onChange: (name: string | undefined) => void;
  /** The folder cannot be watched, and chokidar does not try again. */
  readonly onFailure: (reason: string) => void;
}

export interface FolderWatch {
  close(): Promise<void>;
}

export function watchFolder({ folder, onChange, onFailure }: FolderWatchOptions): FolderWatch {
  // Everything in it is ignored: chokidar would keep a record of each file, and look through all of them whenever one disappears.
  const watcher: FSWatcher = watch(folder, {
    ignoreInitial: true,
    atomic: false,
    followSymlinks: false,
    ignored: (path) => path !== folder && !folder.startsWith(path === '/' ? path : `${path}/`),
  });
  watcher.on('raw', (_, name, details) => {
    const path = pathOfRawEvent(name, { details, directory: folder });
    // A folder that is removed reports its own name as if it were in it.
    if (path === folder) onChange(undefined);
    else if (dirname(path) === folder)
      onChange(basename(path) === basename(folder) ? undefined : basename(path));
  });
  watcher.on('all', (_, path) => {
    if (path === folder) onChange(undefined);
  });
  watcher.on('error', (error) => {
    // chokidar packs some errors into others, of which only the text says what they were.
    const code = errnoOf(error) ?? /\bE[A-Z]+(?=: )/.exec(String(error))?.[0];
    // What is not there yet, or not any more, is a state and not a failure.
    if (code !== 'ENOENT') onFailure(code ?? String(error));
  });
  // What changed between the last look and now was reported to nobody.
  watcher.on('ready', () => onChange(undefined));
  return { close: () => watcher.close() };
}
