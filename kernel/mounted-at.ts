// What a path is on: type and options of the file system, as the process sees its mounts (proc_pid_mountinfo(5)).
import { readFileSync, realpathSync } from 'node:fs';

export interface MountedAt {
  /** "9p", "nfs4", "ext4". */
  readonly type: string;
  /** Of the mount and of the file system: "rw", "cache=loose". */
  readonly options: readonly string[];
}

/** Undefined when there is no such path. */
export function mountedAt(path: string): MountedAt | undefined {
  try {
    return mountOf(realpathSync(path), readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return undefined;
  }
}

/** Of the mounts of one place the last one is seen. */
export function mountOf(path: string, mountInfo: string): MountedAt | undefined {
  let best: { readonly at: string; readonly mount: MountedAt } | undefined;
  for (const line of mountInfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , , place, options = ''] = left.split(' ');
    const [type, , superOptions = ''] = right.split(' ');
    if (place === undefined || type === undefined) continue;
    const at = unescaped(place);
    if (path !== at && !path.startsWith(at === '/' ? at : `${at}/`)) continue;
    if (best !== undefined && best.at.length > at.length) continue;
    best = { at, mount: { type, options: [...options.split(','), ...superOptions.split(',')] } };
  }
  return best?.mount;
}

/** Spaces and the like are written as three octal digits. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
