import { expect, test } from '@jest/globals';
import { followedText } from './followed-text.ts';

test.each([
  [{ by: 'notify', fileSystem: null, pollMs: null }, '/leases'],
  [{ by: 'poll', fileSystem: '9p', pollMs: 1000 }, '/leases (9p), looked at every 1000 ms'],
  [{ by: 'poll', fileSystem: null, pollMs: 500 }, '/leases, looked at every 500 ms'],
  [
    { by: 'notify', fileSystem: 'nfs', pollMs: null },
    '/leases (nfs), though it does not tell what other machines write',
  ],
] as const)('%j', (followed, text) => {
  expect(followedText({ directory: '/leases', ...followed })).toBe(text);
});

test.each([
  [true, null, 'etcd at https://a:2379, https://b:2379'],
  [false, 'refused', 'etcd at https://a:2379, https://b:2379, not connected: refused'],
])('servers, connected: %s', (connected, problem, text) => {
  const servers = ['https://a:2379', 'https://b:2379'];
  expect(followedText({ kind: 'etcd', servers, connected, problem })).toBe(text);
});
