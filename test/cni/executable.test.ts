import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { executePlugin } from '../../cli/libcni/execute-plugin.ts';
import { versionAnswer } from '../../cni/versions.ts';
import { refuseRoot } from '../sandbox.ts';

const checkout = new URL('../..', import.meta.url).pathname;
const executables = ['build/netloom-cni', 'scripts/netloom-cni'].map((name) => ({
  name,
  path: join(checkout, name),
}));

let directory: string;
beforeEach(() => {
  refuseRoot();
  directory = mkdtempSync(join(tmpdir(), 'netloom-exec-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

// Without a C compiler there is no launcher; whether the two say the same is the point.
const built = executables.filter(({ path }) => existsSync(path));

describe.each(built)('$name', ({ path: executable }) => {
  const run = (env: Readonly<Record<string, string>>, stdin = '', path = executable) =>
    executePlugin({ path, env, stdin }).done;

  test('without a command it says what it is, on standard error', async () => {
    const { exitCode, stdout, stderr } = await run({});
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain('CNI protocol versions supported: ');
  });

  test('VERSION through a link, with the variables that libcni makes up', async () => {
    const link = join(directory, 'netloom-cni');
    symlinkSync(executable, link);
    const env = {
      CNI_COMMAND: 'VERSION',
      CNI_NETNS: 'dummy',
      CNI_IFNAME: 'dummy',
      CNI_PATH: 'dummy',
      CNI_CONTAINERID: '',
    };
    const { exitCode, stdout, stderr } = await run(env, '{"cniVersion":"1.1.0"}', link);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe(versionAnswer());
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
});
