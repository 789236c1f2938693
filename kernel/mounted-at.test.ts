import { expect, test } from '@jest/globals';
import { mountedAt, mountOf } from './mounted-at.ts';

const info = `22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/my\\040leases rw,relatime shared:5 - 9p leases rw,trans=virtio,cache=loose
31 22 0:41 / /mnt rw - tmpfs none rw
32 31 0:42 / /mnt rw - nfs4 server:/x rw,vers=4.2
`;

test.each([
  ['/etc', 'ext4', 'rw'],
  ['/mnt/my leases', '9p', 'cache=loose'],
  ['/mnt/my leases/a', '9p', 'trans=virtio'],
  ['/mnt/my', 'nfs4', 'vers=4.2'],
  ['/mntx', 'ext4', 'relatime'],
])('%s is on %s', (path, type, option) => {
  const mount = mountOf(path, info);
  expect(mount?.type).toBe(type);
  expect(mount?.options).toContain(option);
});

test('of this machine', () => {
  expect(mountedAt('/proc/self')?.type).toBe('proc');
  expect(mountedAt('/no/such')).toBeUndefined();
});
