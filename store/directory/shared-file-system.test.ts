import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { sharedFileSystem, sharedTypeName } from './shared-file-system.ts';

test.each([
  [0x6969, 'nfs'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse'],
  [0x786f4256, 'vboxsf'],
  [0xff534d42, 'cifs'],
  [0xff534d42 - 2 ** 32, 'cifs'],
  // ext4, tmpfs, overlayfs
  [0xef53, undefined],
  [0x01021994, undefined],
  [0x794c7630, undefined],
])('type %d is %s', (type, name) => {
  expect(sharedTypeName(type)).toBe(name);
});

test.each([
  ['9p', '9p'],
  ['nfs4', 'nfs4'],
  ['virtiofs', 'virtiofs'],
  ['fuse.sshfs', 'fuse.sshfs'],
  ['ext4', undefined],
  [undefined, undefined],
])('what statfs does not know, the mount says: %s', (type, name) => {
  expect(sharedFileSystem('/proc', { mountType: () => type })).toBe(name);
});

test('a directory that is not there yet is where it will be', () => {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-shared-'));
  expect(sharedFileSystem(join(directory, 'a/b/c'))).toBe(sharedFileSystem(directory));
  rmSync(directory, { recursive: true });
  expect(sharedFileSystem('/proc/no/such')).toBeUndefined();
});
