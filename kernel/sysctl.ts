// Network sysctls: files below /proc/sys/net of a namespace. Keys are paths with slashes ("net/ipv4/conf/cni0/accept_ra"),
// because link names may hold dots.
import { readFileSync, writeFileSync } from 'node:fs';
import { isNotFound, KernelError } from './kernel-error.ts';
import type { Netns } from './netns.ts';

const keyForm = /^net\/[a-zA-Z0-9_@.:+-]+(\/[a-zA-Z0-9_@.:+-]+)*$/;
const errnoOf: ReadonlyMap<unknown, number> = new Map([
  ['ENOENT', 2],
  ['EACCES', 13],
  ['EPERM', 1],
  ['EROFS', 30],
  ['EINVAL', 22],
]);

function pathOf(key: string): string {
  if (!keyForm.test(key) || key.split('/').some((part) => part === '..' || part === '.')) {
    throw new SyntaxError(`Cannot use ${JSON.stringify(key)} as a sysctl: want net/… with slashes`);
  }
  return `/proc/sys/${key}`;
}

/** /proc/sys/net shows the namespace of the thread that opens the file. */
function inside<T>(netns: Netns | undefined, action: () => T): T {
  return netns === undefined ? action() : netns.run(action);
}

function failure(operation: string, object: string, cause: unknown): unknown {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  const errno = errnoOf.get(code);
  return errno === undefined ? cause : new KernelError({ operation, object, errno, cause });
}

/** The value without its line end. Throws KernelError (ENOENT: no such sysctl or link). */
export function readSysctl(key: string, options: { readonly netns?: Netns | undefined } = {}): string {
  const path = pathOf(key);
  try {
    return inside(options.netns, () => readFileSync(path, 'latin1')).trimEnd();
  } catch (error) {
    throw failure('read sysctl', key, error);
  }
}

/** Throws KernelError: ENOENT, EINVAL when the kernel does not take the value, EACCES when /proc/sys is read-only. */
export function writeSysctl(
  key: string,
  value: string,
  options: { readonly netns?: Netns | undefined } = {},
): void {
  const path = pathOf(key);
  try {
    inside(options.netns, () => writeFileSync(path, value));
  } catch (error) {
    throw failure('write sysctl', `${key} = ${value}`, error);
  }
}

/** As `writeSysctl`; one that is not there (a kernel without IPv6 has none of its) is passed over. */
export function writeSysctlIfThere(
  key: string,
  value: string,
  options: { readonly netns?: Netns | undefined } = {},
): void {
  try {
    writeSysctl(key, value, options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
