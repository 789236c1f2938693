import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dropDelegate, keepDelegate, keptDelegate } from './flannel-state.ts';
import { decodeConfig, readConfig } from './network-config.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-flannel-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const config = () =>
  readConfig(
    decodeConfig(
      JSON.stringify({
        name: 'cbr0',
        cniVersion: '0.3.1',
        type: 'flannel',
        dataDir: join(directory, 'data'),
      }),
    ),
    {},
  );
const path = () => join(directory, 'data', 'c1');
const text = (name: string) => JSON.stringify({ name, type: 'bridge', ipam: { type: 'host-local' } });

test('what an ADD keeps is found by DEL, and goes with it', () => {
  keepDelegate(config(), { containerId: 'c1', text: text('of-c1') });
  expect(keptDelegate(config(), 'c1')).toMatchObject({ name: 'of-c1' });
  dropDelegate(config(), 'c1');
  expect(keptDelegate(config(), 'c1')).toBeUndefined();
});

test('an ADD that fails leaves no file', () => {
  const undo = keepDelegate(config(), { containerId: 'c1', text: text('of-c1') });
  undo();
  expect(existsSync(path())).toBe(false);
});

test('an ADD that was one too many leaves the file of the first', () => {
  keepDelegate(config(), { containerId: 'c1', text: text('first') });
  const undo = keepDelegate(config(), { containerId: 'c1', text: text('second') });
  expect(readFileSync(path(), 'utf8')).toBe(text('second'));
  undo();
  expect(readFileSync(path(), 'utf8')).toBe(text('first'));
});

test('a file that cannot be understood is as good as none', () => {
  keepDelegate(config(), { containerId: 'c1', text: text('first') });
  writeFileSync(path(), '{"name":');
  expect(keptDelegate(config(), 'c1')).toBeUndefined();
});
