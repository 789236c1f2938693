import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { packageRoot, programFile } from './package-files.ts';

test('the root is where package.json is', () => {
  expect(JSON.parse(readFileSync(`${packageRoot}/package.json`, 'utf8')).name).toBe('netloom');
});

test.each(['cli/main', 'cli/lab/main', 'cni/main'])('sources start %s as a source', (entry) => {
  expect(programFile(entry)).toBe(`${packageRoot}/${entry}.ts`);
  expect(existsSync(programFile(entry))).toBe(true);
});
