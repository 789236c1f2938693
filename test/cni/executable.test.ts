import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { executePlugin } from '../libcni.ts';
import { refuseRoot } from '../sandbox.ts';

const wrapper = new URL('../../scripts/netloom-cni', import.meta.url).pathname;

let directory: string;
beforeEach(() => {
  refuseRoot();
  directory = mkdtempSync(join(tmpdir(), 'netloom-exec-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const run = (env: Readonly<Record<string, string>>, stdin = '', path = wrapper) =>
  executePlugin({ path, env, stdin }).done;

test('without a command it says what it is, on standard error', async () => {
  const { exitCode, stdout, stderr } = await run({});
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(stderr).toContain('CNI protocol versions supported: 0.3.0');
});

test('VERSION through a link, with the variables that libcni makes up', async () => {
  const link = join(directory, 'netloom-cni');
  symlinkSync(wrapper, link);
  const env = {
    CNI_COMMAND: 'VERSION',
    CNI_NETNS: 'dummy',
    CNI_IFNAME: 'dummy',
    CNI_PATH: 'dummy',
    CNI_CONTAINERID: '',
  };
  const { exitCode, stdout, stderr } = await run(env, '{"cniVersion":"1.1.0"}', link);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    cniVersion: '1.1.0',
    supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
});

test.each([
  ['an unknown command', { CNI_COMMAND: 'FOO' }, '{}', { code: 4, msg: 'unknown CNI_COMMAND: FOO' }],
  ['no variables', { CNI_COMMAND: 'ADD' }, '{}', { code: 4 }],
  ['no JSON', { CNI_COMMAND: 'STATUS' }, 'x', { code: 6 }],
  ['too much', { CNI_COMMAND: 'STATUS' }, ' '.repeat(2 << 20), { code: 6 }],
])('%s: one JSON document on standard output', async (_, env, stdin, expected) => {
  const { exitCode, stdout, stderr } = await run(env, stdin);
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject(expected);
});
