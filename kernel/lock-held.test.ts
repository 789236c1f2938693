import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { lockFile } from './file-lock.ts';
import { isLockHeld } from './lock-held.ts';

test('a lock is held until it is released; a file alone is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-lock-'));
  try {
    const path = join(directory, 'lock');
    expect(isLockHeld(path)).toBe(false);
    expect(readdirSync(directory)).toEqual([]);
    const lock = await lockFile(path, { wait: 0 });
    expect(isLockHeld(path)).toBe(true);
    lock?.release();
    expect(isLockHeld(path)).toBe(false);
    writeFileSync(path, '');
    expect(isLockHeld(path)).toBe(false);
    expect(await lockFile(path, { wait: 0 })).toBeDefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
