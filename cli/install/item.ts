// What an installation consists of: one item a path, paths as the node sees them (below --root or not). And what is there now, as a text
// that tells whether two are the same. It changes nothing.
import { createHash } from 'node:crypto';
import { type Dirent, lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';

export type Item =
  /** A directory that is there; what is in it is others' as well. */
  | { readonly kind: 'directory'; readonly path: string }
  /** A copy of the file `source`. `configuration`: once somebody has changed it, it is his. */
  | { readonly kind: 'file'; readonly path: string; readonly source: string; readonly configuration?: true }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** A copy of the directory `source` with all that is in it. */
  | { readonly kind: 'tree'; readonly path: string; readonly source: string };

/** What Node compiles and keeps beside the packages is none of a release. */
export const ownCache = '.cache';

/** Of what is wanted: equal to `foundState` of it once it is made. */
export function wantedState(item: Item): string {
  switch (item.kind) {
    case 'directory':
      return 'directory';
    case 'file':
      return fileState(item.source, lstatSync(item.source));
    case 'link':
      return `link ${item.target}`;
    case 'tree':
      return `tree ${treeDigest(item.source)}`;
    default:
      return item satisfies never;
  }
}

/** Undefined when nothing is at the path. `as` tells how to look at a directory. */
export function foundState(path: string, as: Item['kind']): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) return `link ${readlinkSync(path)}`;
  if (stats.isDirectory()) return as === 'tree' ? `tree ${treeDigest(path)}` : 'directory';
  return stats.isFile() ? fileState(path, stats) : 'special';
}

const modeText = (stats: Stats): string => (stats.mode & 0o111 ? '0755' : '0644');

function fileState(path: string, stats: Stats): string {
  return `file ${modeText(stats)} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
}

/** Of names, kinds, executability and bytes of everything in a directory, whatever order the file system has. */
function treeDigest(path: string): string {
  const hash = createHash('sha256');
  const visit = (directory: string, prefix: string): void => {
    for (const entry of entriesOf(directory)) {
      const at = join(directory, entry.name);
      const name = `${prefix}${entry.name}`;
      if (entry.isDirectory()) {
        hash.update(`${name}/\n`);
        visit(at, `${name}/`);
      } else {
        hash.update(
          `${name} ${entry.isSymbolicLink() ? `link ${readlinkSync(at)}` : fileState(at, lstatSync(at))}\n`,
        );
      }
    }
  };
  visit(path, '');
  return hash.digest('hex');
}

function entriesOf(directory: string): readonly Dirent[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter(({ name }) => name !== ownCache);
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}
