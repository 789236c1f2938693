import { expect, test } from '@jest/globals';
import { agentSocketPath, cniVariables, stateDirectoryOf } from './agent-client.ts';

test.each([
  ['{"runDirectory": "/run/lab"}', '/run/lab/netloom.sock'],
  ['{"RunDirectory": "/run/lab"}', '/run/lab/netloom.sock'],
  ['{"runDirectory": "run"}', '/run/netloom/netloom.sock'],
  ['{"runDirectory": 1}', '/run/netloom/netloom.sock'],
  ['{}', '/run/netloom/netloom.sock'],
  ['null', '/run/netloom/netloom.sock'],
  ['{', '/run/netloom/netloom.sock'],
])('the agent of %s is asked at %s', (stdin, path) => {
  expect(agentSocketPath(stdin)).toBe(path);
});

test.each([
  ['{"stateDirectory": "/state"}', '/state'],
  ['{"STATEdirectory": "/state"}', '/state'],
  ['{"stateDirectory": null, "runDirectory": "/run/lab"}', '/var/lib/netloom'],
])('DELs of %s are queued in %s', (stdin, path) => {
  expect(stateDirectoryOf(stdin)).toBe(path);
});

test('only CNI_* leaves the plugin', () => {
  expect(
    cniVariables({ CNI_COMMAND: 'ADD', PATH: '/bin', AWS_SECRET: 'x', CNI_ARGS: '', CNI_PATH: undefined }),
  ).toEqual({
    CNI_COMMAND: 'ADD',
    CNI_ARGS: '',
  });
});
