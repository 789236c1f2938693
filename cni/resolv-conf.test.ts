import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parseResolvConf, readResolvConf } from './resolv-conf.ts';

const directory = mkdtempSync(join(tmpdir(), 'netloom-resolv-'));
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ['', {}],
  ['# a comment\n; another\nnameserver\nsortlist 10.0.0.0\n', {}],
  ['nameserver 10.0.0.10\n  nameserver\tfd00::10 \r\n', { nameservers: ['10.0.0.10', 'fd00::10'] }],
  [
    'domain a.example\ndomain b.example\nsearch c.example d.example\nsearch e.example\noptions ndots:5 rotate\n',
    { domain: 'b.example', search: ['c.example', 'd.example', 'e.example'], options: ['ndots:5', 'rotate'] },
  ],
])('%j', (text, expected) => {
  expect(parseResolvConf(text)).toEqual(expected);
});

describe('the file', () => {
  const write = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  test('is read', () => {
    expect(readResolvConf(write('good', 'nameserver 10.0.0.10\n'))).toEqual({ nameservers: ['10.0.0.10'] });
  });

  test.each([
    [join(directory, 'none'), 'ENOENT'],
    [directory, 'it is not a file'],
    ['/dev/zero', 'it is not a file'],
    [write('long', 'x'.repeat(70_000)), 'it has more than 65536 bytes'],
  ])('%s cannot be: %s', (path, details) => {
    expect(() => readResolvConf(path)).toThrow(
      expect.objectContaining({
        code: 5,
        message: `Cannot read "ipam.resolvConf" "${path}"`,
        details: expect.stringContaining(details),
      }),
    );
  });
});
