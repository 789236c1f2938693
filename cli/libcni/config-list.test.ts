import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseConfigList, readConfigList } from './config-list.ts';

const list = (more: object) => JSON.stringify({ name: 'net', plugins: [{ type: 'bridge' }], ...more });

test.each([
  [{ cniVersion: '1.0.0' }, '1.0.0'],
  [{ cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.1.0', '1.0.0'] }, '1.1.0'],
  [{ cniVersion: '1.0.0', cniVersions: ['0.4.0', '2.0.0'] }, '1.0.0'],
  [{ cniVersions: ['0.3.1'] }, '0.3.1'],
  [{}, '0.1.0'],
])('of %j version %s is chosen', (more, chosen) => {
  expect(parseConfigList(list(more), 'x').cniVersion).toBe(chosen);
});

test.each([
  ['no JSON', '{', 'it is no CNI configuration list'],
  ['no plugins', list({ plugins: [] }), 'it is no CNI configuration list'],
  [
    'a type with a path',
    list({ plugins: [{ type: '../../sbin/reboot' }] }),
    'it is no CNI configuration list',
  ],
  ['a version of the future', list({ cniVersion: '9.0.0' }), 'none of its versions is spoken here'],
])('%s is refused, and the file named', (_, text, words) => {
  expect(() => parseConfigList(text, '/x/10.conflist')).toThrow(words);
  expect(() => parseConfigList(text, '/x/10.conflist')).toThrow('"/x/10.conflist"');
});

test('the first list of a directory is taken', () => {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-lists-'));
  try {
    expect(() => readConfigList(directory)).toThrow('the agent has not installed it');
    writeFileSync(join(directory, '20.conflist'), list({ name: 'twenty', cniVersion: '1.0.0' }));
    writeFileSync(join(directory, '10.conflist'), list({ name: 'ten', cniVersion: '1.0.0' }));
    writeFileSync(join(directory, '05.conf'), '{}');
    expect(readConfigList(directory).name).toBe('ten');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
