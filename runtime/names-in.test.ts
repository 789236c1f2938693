import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { namesIn } from './names-in.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-names-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('sorted; none of what is not there; a file is no directory', () => {
  for (const name of ['b', 'a', '.c']) writeFileSync(join(directory, name), '');
  expect(namesIn(directory)).toEqual(['.c', 'a', 'b']);
  expect(namesIn(join(directory, 'missing'))).toEqual([]);
  expect(() => namesIn(join(directory, 'a'))).toThrow(/ENOTDIR/);
});
