import { expect, test } from '@jest/globals';
import { Follow, type Following, followingNote } from './following.ts';

test.each([
  ['auto', 'notify'],
  ['notify', 'notify'],
  ['poll', 'poll'],
] as const)('%s in a directory of this machine is %s, and is told once', (watch, by) => {
  const told: Following[] = [];
  const follow = new Follow('/proc', { watch, pollMs: 500, onFollow: (following) => told.push(following) });
  expect(follow.isPolling).toBe(watch === 'poll');
  follow.update();
  follow.update();
  expect(told).toEqual([{ by, fileSystem: undefined, pollMs: 500 }]);
});

test('a slow file system is not asked all the time', () => {
  const follow = new Follow('/proc', { watch: 'poll', pollMs: 500 });
  expect([follow.pauseAfter(1), follow.pauseAfter(200)]).toEqual([500, 2000]);
});

test.each<readonly [Following, string | undefined]>([
  [{ by: 'notify', fileSystem: undefined, pollMs: 1000 }, undefined],
  [
    { by: 'poll', fileSystem: '9p', pollMs: 1000 },
    '"/x" is on 9p, which does not tell what other machines write, and is looked at every 1000 ms',
  ],
  [{ by: 'poll', fileSystem: undefined, pollMs: 1000 }, '"/x" is looked at every 1000 ms'],
  [
    { by: 'notify', fileSystem: 'nfs', pollMs: 1000 },
    '"/x" is on nfs, which does not tell what other machines write: that is seen at the next full look only',
  ],
])('%j in words', (following, words) => {
  expect(followingNote('/x', following)).toBe(words);
});
