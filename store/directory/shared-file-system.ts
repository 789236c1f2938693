// Whether a directory is on a file system that other machines write to as well: there the kernel tells (inotify) only what this
// machine writes. Not what can be done about it.
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errno.ts';

/** f_type of statfs(2), by linux/magic.h and the file systems' own sources. */
const sharedTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smbfs'],
  [0xfe534d42, 'smb3'],
  [0xff534d42, 'cifs'],
  [0x01021997, '9p'],
  // Also virtiofs, which says the same, and sshfs, glusterfs and the like.
  [0x65735546, 'fuse'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x7c7c6673, 'prl_fs'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'kafs'],
  [0x73757245, 'coda'],
  [0x0bd00bd0, 'lustre'],
  [0x47504653, 'gpfs'],
  [0x19830326, 'beegfs'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
]);

/** The same by what mounts are called, beside "fuse" and all that begins with "fuse.". */
const sharedNames: ReadonlySet<string> = new Set([...sharedTypes.values(), 'nfs4', 'virtiofs', 'glusterfs']);

/** The name of a file system that is shared, by the number that statfs(2) gives; undefined: it is this machine's alone. */
export function sharedTypeName(type: number): string | undefined {
  // Where f_type is a signed number of 32 bits.
  return sharedTypes.get(type < 0 ? type + 2 ** 32 : type);
}

export interface SharedFileSystemOptions {
  /** The type of the mount that a path is on, if somebody knows: 9p says with statfs(2) what the other side's file system is. */
  readonly mountType?: ((path: string) => string | undefined) | undefined;
}

/** The name of a shared file system that a directory is on, or will be: it may not be there yet. */
export function sharedFileSystem(
  directory: string,
  { mountType }: SharedFileSystemOptions = {},
): string | undefined {
  for (let path = directory; ; path = dirname(path)) {
    try {
      const byNumber = sharedTypeName(statfsSync(path).type);
      const name = mountType?.(path) ?? '';
      return sharedNames.has(name) || name.startsWith('fuse.') ? name : byNumber;
    } catch (error) {
      // What may not be looked at is said by who reads it.
      if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) return undefined;
    }
  }
}
