// Keeps whole files as they are wanted: subnet.env and what else other programs read about the node.
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../runtime/error-text.ts';
import { writeFileAtomicSync } from '../runtime/write-file.ts';

export interface EnsuredFiles {
  readonly written: readonly string[];
  readonly failed: ReadonlyMap<string, unknown>;
}

/** Undefined when the file is not there. */
export function readFileIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function differingFiles(wanted: ReadonlyMap<string, string>): readonly string[] {
  return [...wanted].flatMap(([path, text]) => (readFileIfThere(path) === text ? [] : [path]));
}

/** Writes the files that differ: atomically, mode 0644, with their directories. `note` hears of each before it is written. */
export function ensureFiles(
  wanted: ReadonlyMap<string, string>,
  note: (path: string, text: string) => void,
): EnsuredFiles {
  const written: string[] = [];
  const failed = new Map<string, unknown>();
  for (const [path, text] of wanted) {
    try {
      if (readFileIfThere(path) === text) continue;
      note(path, text);
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      writeFileAtomicSync(path, text);
      written.push(path);
    } catch (error) {
      failed.set(path, error);
    }
  }
  return { written, failed };
}
