// Whether the running kernel has a module, and whether it is in use. It loads none.
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';

/** `absent`: not among the modules of this kernel. `unknown`: there is no list of them here, as in a container. */
export type ModuleState = 'loaded' | 'built-in' | 'available' | 'absent' | 'unknown';

export interface ModuleOptions {
  /** Where the modules of the running kernel are. */
  readonly directory?: string;
}

export function moduleState(name: string, options: ModuleOptions = {}): ModuleState {
  const { directory = join('/lib/modules', release()) } = options;
  // The kernel writes "_" where file names may have "-".
  const form = (text: string): string => text.replaceAll('-', '_');
  const listed = (file: string): boolean | undefined => {
    const text = readIfThere(join(directory, file));
    return text?.split('\n').some((line) => form(moduleName(line)) === form(name));
  };
  if (listed('modules.builtin') === true) return 'built-in';
  // Built-in ones with parameters are there, too: the list above goes first.
  if (existsSync(`/sys/module/${form(name)}`)) return 'loaded';
  const isAvailable = listed('modules.dep');
  if (isAvailable === undefined) return 'unknown';
  return isAvailable ? 'available' : 'absent';
}

/** "kernel/net/netfilter/ipvs/ip_vs.ko.xz: kernel/…" -> "ip_vs". */
function moduleName(line: string): string {
  const path = line.split(':')[0] ?? '';
  return (path.split('/').at(-1) ?? '').split('.')[0] ?? '';
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
