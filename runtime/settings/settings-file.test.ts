import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SettingsError } from './settings-error.ts';
import { readSettingsFile } from './settings-file.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-settings-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

describe('readSettingsFile', () => {
  test.each([
    ['a.yaml', 'logLevel: debug # all of it\npeers: [a, b]\nmtu: 1400\n'],
    ['a.json', '{\n\t"logLevel": "debug",\n\t"peers": ["a", "b"],\n\t"mtu": 1400\n}\n'],
    ['b.json', '{"logLevel":"debug","peers":["a","b"],"mtu":1400}'],
  ])('reads %s', (name, content) => {
    const path = write(name, content);
    expect(readSettingsFile(path)).toEqual({
      path,
      values: { logLevel: 'debug', peers: ['a', 'b'], mtu: 1400 },
    });
  });

  test.each(['', '# nothing\n', '---\n', '{}'])('%j sets nothing', (content) => {
    expect(readSettingsFile(write('empty', content)).values).toEqual({});
  });

  test.each([
    ['a list', '- a\n', /: expected a mapping of settings, such as "logLevel: debug"$/],
    ['a text', 'hello\n', /: expected a mapping of settings/],
    ['a key twice', 'mtu: 1\nmtu: 2\n', /: Map keys must be unique at line 2, column 1$/],
    [
      'an unclosed bracket',
      'peers: [a\n',
      /: Flow sequence in block collection must be sufficiently indented.* at line/,
    ],
    ['an unknown tag', 'password: !vault x\n', /: Unresolved tag: !vault at line 1/],
    ['two documents', 'a: 1\n---\nb: 2\n', /: Source contains multiple documents/],
    ['an alias without an anchor', 'a: *b\n', /: Unresolved alias/],
  ])('refuses %s', (_, content, message) => {
    const path = write('bad.yaml', content);
    expect(() => readSettingsFile(path)).toThrow(SettingsError);
    expect(() => readSettingsFile(path)).toThrow(message);
    expect(() => readSettingsFile(path)).toThrow(`  ${path}: `);
  });

  test('an error shows no line of the file, which may be a secret', () => {
    const path = write('secret.yaml', 'password: "hunter2\nmtu: [\n');
    let message = '';
    try {
      readSettingsFile(path);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('SettingsError: Cannot use these settings:');
    expect(message).not.toContain('hunter2');
  });

  test('an alias that grows without end is refused', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    expect(() => readSettingsFile(write('bomb.yaml', lines.join('\n')))).toThrow(SettingsError);
  });

  test('names a file that cannot be read', () => {
    expect(() => readSettingsFile(join(directory, 'none'))).toThrow(/none: cannot be read: ENOENT/);
    expect(() => readSettingsFile(directory)).toThrow(/cannot be read: EISDIR/);
  });
});
