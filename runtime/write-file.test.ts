import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type WriteFileOptions, writeFileAtomic, writeFileAtomicSync } from './write-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-write-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Write = (path: string, data: string | Uint8Array, options?: WriteFileOptions) => Promise<void>;
const writers: readonly (readonly [string, Write])[] = [
  ['writeFileAtomic', writeFileAtomic],
  ['writeFileAtomicSync', async (path, data, options) => writeFileAtomicSync(path, data, options)],
];

describe.each(writers)('%s', (_, write) => {
  test('writes text and bytes, with the mode that was asked for whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await write(join(directory, 'subnet.env'), 'FLANNEL_MTU=1450\n');
      await write(join(directory, 'key'), Uint8Array.of(0, 255), { mode: 0o600, durable: true });
      await write(join(directory, 'plugin'), '#!', { mode: 0o777 });
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(join(directory, 'subnet.env'), 'utf8')).toBe('FLANNEL_MTU=1450\n');
    expect([...readFileSync(join(directory, 'key'))]).toEqual([0, 255]);
    const mode = (name: string): string => (statSync(join(directory, name)).mode & 0o7777).toString(8);
    expect(['subnet.env', 'key', 'plugin'].map(mode)).toEqual(['644', '600', '777']);
    expect(readdirSync(directory).sort()).toEqual(['key', 'plugin', 'subnet.env']);
  });

  test('replaces the file as a new one: who has the old one open keeps it whole', async () => {
    const path = join(directory, 'a');
    writeFileSync(path, 'old', { mode: 0o600 });
    const before = statSync(path).ino;
    await write(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).ino).not.toBe(before);
  });

  test('a symbolic link is replaced, and what it pointed to is left alone', async () => {
    writeFileSync(join(directory, 'target'), 'target');
    symlinkSync('target', join(directory, 'link'));
    await write(join(directory, 'link'), 'new');
    expect(lstatSync(join(directory, 'link')).isFile()).toBe(true);
    expect(readFileSync(join(directory, 'target'), 'utf8')).toBe('target');
  });

  test('a failure leaves no temporary file, and the error names the path and keeps the cause', async () => {
    const path = join(directory, 'taken');
    mkdirSync(join(path, 'inside'), { recursive: true }); // rename cannot replace a directory with a file
    const error = await write(path, 'x').then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ message: expect.stringContaining(`Cannot write "${path}": EISDIR`) });
    expect(error).toMatchObject({ cause: { code: 'EISDIR' } });
    expect(readdirSync(directory)).toEqual(['taken']);
  });

  test('a missing directory is an error, not made', async () => {
    const path = join(directory, 'none', 'a');
    await expect(write(path, 'x')).rejects.toMatchObject({ cause: { code: 'ENOENT' } });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('writers of one path at once end with the whole text of one of them', async () => {
    const path = join(directory, 'a');
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(5000));
    await Promise.all(texts.map((text) => write(path, text)));
    expect(texts).toContain(readFileSync(path, 'utf8'));
    expect(readdirSync(directory)).toEqual(['a']);
  });
});
