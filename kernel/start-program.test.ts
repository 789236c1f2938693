import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startProgram } from './start-program.ts';

const env = { PATH: '/usr/bin:/bin' };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-start-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function script(text: string): string {
  const path = join(directory, 'program');
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

test('input, environment, output and exit code', async () => {
  const path = script('read line; echo "$line $GIVEN $HOME"; echo words >&2; exit 3');
  const end = await startProgram(path, { input: 'hello\n', env: { ...env, GIVEN: 'gift' } }).done;
  expect(end).toEqual({
    exitCode: 3,
    signal: undefined,
    stdout: 'hello gift \n',
    stderr: 'words\n',
    outputHeld: false,
  });
});

test('a program that does not read a large input', async () => {
  const { exitCode } = await startProgram(script('exit 0'), { input: 'x'.repeat(1 << 20), env }).done;
  expect(exitCode).toBe(0);
});

test('one that is not there', async () => {
  await expect(startProgram(join(directory, 'nothing'), { input: '', env }).done).rejects.toMatchObject({
    code: 'ENOENT',
  });
});

test.each(['before', 'after'])('is killed by a signal that aborts %s the start', async (when) => {
  const stop = new AbortController();
  if (when === 'before') stop.abort();
  const started = startProgram(script('echo started; exec sleep 60'), {
    input: '',
    env,
    signal: stop.signal,
  });
  stop.abort();
  expect((await started.done).exitCode).toBeUndefined();
});

test('what it started is neither killed nor waited for without end', async () => {
  const started = startProgram(script('sleep 30 & echo $!; exec sleep 60'), { input: '', env });
  await new Promise((resolve) => setTimeout(resolve, 200));
  started.kill();
  const { exitCode, signal, stdout, outputHeld } = await started.done;
  expect({ exitCode, signal, outputHeld }).toEqual({
    exitCode: undefined,
    signal: 'SIGKILL',
    outputHeld: true,
  });
  expect(process.kill(Number(stdout), 'SIGKILL')).toBe(true);
});
