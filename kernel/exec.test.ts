import { describe, expect, test } from '@jest/globals';
import { execute, ProgramError } from './exec.ts';

async function errorOf(promise: Promise<unknown>): Promise<ProgramError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ProgramError) return error;
  throw new Error(`want a ProgramError, got ${String(error)}`);
}

describe('execute', () => {
  test('gives input and returns output', async () => {
    expect(await execute(['cat'], { input: 'a\nb\n' })).toEqual({
      exitCode: 0,
      stdout: 'a\nb\n',
      stderr: '',
    });
  });

  test('passes arguments as they are, through no shell', async () => {
    const hostile = ['$(id)', '; rm x', '`id`', '*', "a'b", ''];
    expect((await execute(['printf', '%s|', ...hostile])).stdout).toBe(`${hostile.join('|')}|`);
  });

  test('reports the code and the last words', async () => {
    const error = await errorOf(execute(['sh', '-c', 'echo one >&2; echo two >&2; exit 3']));
    expect(error.exitCode).toBe(3);
    expect(error.message).toBe(
      'Cannot run "sh -c echo one >&2; echo two >&2; exit 3": exit code 3: one; two',
    );
  });

  test('takes other codes as success when told', async () => {
    expect((await execute(['sh', '-c', 'exit 3'], { okCodes: [0, 3] })).exitCode).toBe(3);
  });

  test('names a program that is not there', async () => {
    const error = await errorOf(execute(['netloom-no-such-program']));
    expect(error.exitCode).toBeUndefined();
    expect(error.message).toContain('Cannot run "netloom-no-such-program"');
    expect(error.message).toContain('ENOENT');
  });

  test('ends a program when told to', async () => {
    const stop = new AbortController();
    const running = execute(['sleep', '60'], { signal: stop.signal });
    stop.abort();
    expect((await errorOf(running)).exitCode).toBeUndefined();
  });
});
