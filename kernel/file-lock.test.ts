import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lockFile } from './file-lock.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-lock-'));
  path = join(directory, 'lock');
});

afterEach(() => rmSync(directory, { recursive: true }));

test('one holds it, another gets it afterwards, and nothing stays behind', async () => {
  const first = await lockFile(path, { wait: 0 });
  expect(first).toBeDefined();
  expect(await lockFile(path, { wait: 0 })).toBeUndefined();
  const second = lockFile(path, { wait: 10_000 });
  first?.release();
  first?.release();
  const got = await second;
  expect(got).toBeDefined();
  got?.release();
  expect(existsSync(path)).toBe(false);
});

test('a file that a dead holder left is no obstacle', async () => {
  writeFileSync(path, '');
  const lock = await lockFile(path, { wait: 0 });
  expect(lock).toBeDefined();
  lock?.release();
});

test('many at once: never two hold it', async () => {
  let holders = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const lock = await lockFile(path, { wait: 10_000 });
      holders += 1;
      most = Math.max(most, holders);
      await new Promise((resolve) => setImmediate(resolve));
      holders -= 1;
      lock?.release();
    }),
  );
  expect(most).toBe(1);
});

test('waiting ends with its signal, and a directory that is not there is an error', async () => {
  const lock = await lockFile(path, { wait: 0 });
  await expect(lockFile(path, { wait: 10_000, signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  lock?.release();
  await expect(lockFile(join(directory, 'none', 'lock'), { wait: 0 })).rejects.toMatchObject({
    code: 'ENOENT',
  });
});
