import { execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { namespaceAddresses, visibleNamespaces } from '../../kernel/namespaces.ts';
import { Netns, removeNetns } from '../../kernel/netns.ts';
import { testNetns } from '../sandbox.ts';

const find = (netns: Netns) =>
  visibleNamespaces().namespaces.find(({ identity }) => identity === netns.identity);

test('named, mounted and lived-in namespaces are seen, each once', async () => {
  using one = testNetns();
  using own = Netns.current();
  const { namespaces } = visibleNamespaces();
  expect(new Set(namespaces.map(({ identity }) => identity)).size).toBe(namespaces.length);
  expect(find(own)?.paths).toContain('/proc/self/ns/net');
  expect(find(one.netns)?.paths).toEqual([one.netns.path, one.netns.path]);

  const child = spawn('nsenter', [`--net=${one.netns.path}`, 'sleep', '60']);
  try {
    const at = `/proc/${child.pid}/ns/net`;
    const { identity } = one.netns;
    while (!identity.endsWith(`:${/\d+/.exec(readlinkSync(at))?.[0]}`)) await new Promise(setImmediate);
    removeNetns(one.netns.path);
    expect(find(one.netns)?.paths).toEqual([at]);
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  expect(find(one.netns)).toBeUndefined();
});

test('in a pid namespace of its own nobody sees all', () => {
  expect(visibleNamespaces().isComplete).toBe(false);
});

test('addresses lead to the namespace that has them; what is gone meanwhile is passed over', () => {
  using one = testNetns();
  const two = testNetns();
  for (const [{ name }, address] of [
    [one, '10.9.0.2/24'],
    [one, 'fd09::2/64'],
    [two, '10.9.0.3/24'],
  ] as const) {
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    execFileSync('ip', ['-n', name, 'address', 'add', address, 'dev', 'lo']);
  }
  const { namespaces } = visibleNamespaces();
  expect(namespaceAddresses(namespaces).get('10.9.0.3')).toBe(two.netns.path);
  two[Symbol.dispose]();
  const holders = namespaceAddresses(namespaces);
  expect(holders.get('10.9.0.2')).toBe(one.netns.path);
  expect(holders.get('fd09::2')).toBe(one.netns.path);
  expect(holders.has('10.9.0.3')).toBe(false);
});
