import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { loadSettings } from './load-settings.ts';
import { setting, settingsTable } from './setting.ts';
import { flag, integer, text } from './setting-types.ts';
import { addOptions } from './settings-flags.ts';

const table = settingsTable({
  nodeName: setting(text(), { help: 'Name', group: 'Node' }),
  mtu: setting(integer(), { default: 1500, help: 'MTU', group: 'Node' }),
  masquerade: setting(flag(), { default: true, help: 'Masquerade', group: 'Node' }),
});

let directory: string;
let good: string;
let bad: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-load-'));
  good = join(directory, 'good.yaml');
  bad = join(directory, 'bad.yaml');
  writeFileSync(good, 'nodeName: from-file\nmtu: 1400\n');
  writeFileSync(bad, '[\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const load = (argv: readonly string[], environment: Record<string, string> = {}) => {
  const command = addOptions(new Command(), table);
  command.parse(argv, { from: 'user' });
  return loadSettings(command, table, { environment });
};

describe('loadSettings', () => {
  test('brings flags, environment and the file that --config names together', () => {
    const { settings } = load(['--config', good, '--no-masquerade'], { NETLOOM_MTU: '1300' });
    expect(settings).toEqual({ nodeName: 'from-file', mtu: 1300, masquerade: false });
  });

  test('NETLOOM_CONFIG names the file too, and --config overrides it', () => {
    expect(load([], { NETLOOM_CONFIG: good }).settings.nodeName).toBe('from-file');
    expect(load(['--config', good], { NETLOOM_CONFIG: bad }).settings.nodeName).toBe('from-file');
  });

  test('a bad file does not hide bad flags, and what it may hold is not called missing', () => {
    expect(() => load(['--config', bad, '--mtu', 'x'])).toThrow(
      /^Cannot use these settings:\n {2}\S+bad\.yaml: .*\n {2}--mtu "x": expected a whole number$/,
    );
  });

  test('without a file what is missing is said', () => {
    expect(() => load([])).toThrow(
      '--node-name, or NETLOOM_NODE_NAME, or nodeName in the settings file: required',
    );
  });
});
