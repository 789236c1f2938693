import { describe, expect, test } from '@jest/globals';
import { readCommand, readTarget, requireVariables } from './environment.ts';

const target = { CNI_CONTAINERID: 'abc', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };

test('commands', () => {
  expect(readCommand({})).toBeUndefined();
  expect(readCommand({ CNI_COMMAND: '' })).toBeUndefined();
  expect(readCommand({ CNI_COMMAND: 'ADD' })).toBe('ADD');
});

test.each(['add', 'FOO', ' ADD', 'ADD\n', 'constructor'])(
  'command %j is unknown, in the words libcni looks for',
  (command) => {
    expect(() => readCommand({ CNI_COMMAND: command })).toThrow(
      expect.objectContaining({ code: 4, message: `unknown CNI_COMMAND: ${command}` }),
    );
  },
);

test.each([
  ['ADD', {}, '[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME]'],
  ['ADD', { ...target, CNI_NETNS: '' }, '[CNI_NETNS]'],
  ['CHECK', { CNI_NETNS: '/x' }, '[CNI_CONTAINERID,CNI_IFNAME]'],
  ['DEL', { CNI_CONTAINERID: 'abc' }, '[CNI_IFNAME]'],
] as const)('%s with %j lacks %s', (command, env, names) => {
  expect(() => requireVariables(env, command)).toThrow(
    expect.objectContaining({ code: 4, message: `required env variables ${names} missing` }),
  );
});

test.each([
  ['ADD', target],
  ['DEL', { ...target, CNI_NETNS: '' }],
  ['GC', {}],
  ['STATUS', {}],
  ['VERSION', { CNI_NETNS: 'dummy' }],
] as const)('%s with %j lacks nothing', (command, env) => {
  expect(() => requireVariables(env, command)).not.toThrow();
});

describe('targets', () => {
  test('are read', () => {
    expect(readTarget(target, 'ADD')).toEqual({ containerId: 'abc', netns: '/run/netns/x', ifname: 'eth0' });
  });

  test.each([undefined, '', 'netns/x', '/run/\0/x'])(
    'DEL takes the namespace %j for one that is gone',
    (netns) => {
      expect(readTarget({ ...target, CNI_NETNS: netns }, 'DEL').netns).toBe('');
    },
  );

  test.each([
    ['CNI_CONTAINERID', '../etc'],
    ['CNI_CONTAINERID', '.hidden'],
    ['CNI_CONTAINERID', 'a/b'],
    ['CNI_CONTAINERID', 'a b'],
    ['CNI_CONTAINERID', 'a\r\nb'],
    ['CNI_CONTAINERID', 'x'.repeat(256)],
    ['CNI_IFNAME', '.'],
    ['CNI_IFNAME', '..'],
    ['CNI_IFNAME', 'a/b'],
    ['CNI_IFNAME', 'a:b'],
    ['CNI_IFNAME', 'a b'],
    ['CNI_IFNAME', 'eth%d'],
    ['CNI_IFNAME', 'éé'],
    ['CNI_IFNAME', 'sixteen-bytes-xx'],
    ['CNI_NETNS', '/run/\0/x'],
    ['CNI_NETNS', 'netns/x'],
  ])('%s = %j is refused', (name, value) => {
    expect(() => readTarget({ ...target, [name]: value }, 'CHECK')).toThrow(
      expect.objectContaining({
        code: 4,
        message: expect.stringContaining(`${name} ${JSON.stringify(value).slice(0, 100)}`),
      }),
    );
  });
});
