// What an installation made on a node, and how it left it: /opt/netloom/installed.json. It is written before anything is made and again
// after, so that an installation that was cut off is known too. Who uninstalls takes away what is recorded and still as it was.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { errorMessage } from '../../runtime/error-text.ts';
import { writeFileAtomicSync } from '../../runtime/write-file.ts';
import { releasesDirectory } from './release.ts';

const shape = z.object({
  version: z.string(),
  /** The version before it, which stays on the node: to go back to. */
  previous: z.string().optional(),
  /** Path -> kind and state as it was made; several states when an installation was cut off in between. */
  items: z.record(
    z.string().startsWith('/'),
    z.object({ kind: z.enum(['file', 'link', 'tree']), states: z.array(z.string()) }),
  ),
  /** Directories that were not there before, parents first. */
  directories: z.array(z.string().startsWith('/')),
});

export type InstallRecord = z.output<typeof shape>;

export const recordPath = `${releasesDirectory}/installed.json`;

/** `path` is below the root. Undefined when nothing was installed; throws for one that cannot be read. */
export function readRecord(path: string): InstallRecord | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return shape.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new Error(`Cannot read what was installed from "${path}": ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

export function writeRecord(path: string, record: InstallRecord): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileAtomicSync(path, `${JSON.stringify(record, null, 2)}\n`, { durable: true });
}

export function removeRecord(path: string): void {
  rmSync(path, { force: true });
}
