// Remembers, in the state directory, what Netloom made that bears no mark of its own: files by their content, sysctls by their
// value, and iptables chains. Cleaning up takes away what is recorded here and still as it was made.
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomicSync } from '../runtime/write-file.ts';
import { readFileIfThere } from './node-files.ts';

const shape = z.object({
  /** Path -> SHA-256 of the text, in hexadecimal. */
  files: z.record(z.string(), z.string()),
  /** True when iptables carries our rules, or did. */
  iptables: z.boolean(),
  /** By key: the value that was there before the first writing, and the last one that was written. */
  sysctls: z.record(z.string(), z.object({ before: z.string(), written: z.string() })).default({}),
});

type Made = z.output<typeof shape>;

export interface MadeRecord {
  readonly path: string;
  readonly iptables: boolean;
  /** The paths that were written, with the digest of what. */
  readonly files: ReadonlyMap<string, string>;
  readonly sysctls: ReadonlyMap<string, { readonly before: string; readonly written: string }>;
  noteFile(path: string, text: string): void;
  /** Before it is written. `before` counts only the first time. */
  noteSysctl(key: string, values: { readonly before: string; readonly written: string }): void;
  noteIptables(used: boolean): void;
}

export function textDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A record that is gone or spoilt is an empty one. */
export function openMadeRecord(stateDirectory: string): MadeRecord {
  const path = join(stateDirectory, 'made.json');
  let made = read(path);

  function change(next: Made): void {
    if (JSON.stringify(next) === JSON.stringify(made)) return;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileAtomicSync(path, `${JSON.stringify(next)}\n`);
    made = next;
  }

  return {
    path,
    get iptables() {
      return made.iptables;
    },
    get files() {
      return new Map(Object.entries(made.files));
    },
    get sysctls() {
      return new Map(Object.entries(made.sysctls));
    },
    noteSysctl: (key, { before, written }) =>
      change({
        ...made,
        sysctls: { ...made.sysctls, [key]: { before: made.sysctls[key]?.before ?? before, written } },
      }),
    noteFile: (file, text) => change({ ...made, files: { ...made.files, [file]: textDigest(text) } }),
    noteIptables: (used) => change({ ...made, iptables: used }),
  };
}

function read(path: string): Made {
  try {
    return shape.parse(JSON.parse(readFileIfThere(path) ?? ''));
  } catch {
    return { files: {}, iptables: false, sysctls: {} };
  }
}
