import { linkSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LeaseDirectory, readPlainFile } from './lease-directory.ts';
import { LeaseScan } from './lease-scan.ts';

const key = '10.0.1.0-24';
const [mine, theirs] = ['n1', 'n2'].map(
  (node) => `{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"host-gw","Node":"${node}"}`,
) as [string, string];

let root: string;
let clock: number;
let directory: LeaseDirectory;
let path: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'netloom-directory-'));
  clock = 1_700_000_000_000;
  directory = new LeaseDirectory({ directory: root, ttlMs: 1_000, now: () => clock });
  path = directory.pathOf(key);
  await directory.prepare();
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const files = () => readdir(directory.subnetsPath);
const always = () => true;

describe('without hard links', () => {
  const link = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
  beforeEach(() => {
    directory = new LeaseDirectory({ directory: root, ttlMs: 1_000, now: () => clock, link });
  });

  test('a claim is exclusive, whole and dated', async () => {
    expect(await directory.claim(key, mine)).toBe(true);
    expect(await directory.claim(key, theirs)).toBe(false);
    expect(await readFile(path, 'utf8')).toBe(mine);
    expect(statSync(path).mtimeMs).toBe(clock);
    expect(await files()).toEqual([`${key}.json`]);
  });

  test('a file that is put back is as it was', async () => {
    await directory.claim(key, mine);
    const before = statSync(path).mtimeMs;
    clock += 500;
    expect(await directory.removeIf(key, () => false)).toBe(false);
    expect(await readFile(path, 'utf8')).toBe(mine);
    expect(statSync(path).mtimeMs).toBe(before);
    expect(await files()).toEqual([`${key}.json`]);
  });

  test('another failure is told, with its errno', async () => {
    const failing = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
    directory = new LeaseDirectory({ directory: root, ttlMs: 1_000, now: () => clock, link: failing });
    await expect(directory.claim(key, mine)).rejects.toThrow(/^Cannot create ".*": EIO$/);
    expect(await files()).toEqual([]);
  });
});

test('a link whose answer was lost, as NFS may do it, is ours', async () => {
  const link = async (existing: string, at: string) => {
    linkSync(existing, at);
    throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
  };
  directory = new LeaseDirectory({ directory: root, ttlMs: 1_000, now: () => clock, link });
  expect(await directory.claim(key, mine)).toBe(true);
});

describe('claiming a file', () => {
  test('makes it whole and dated, once', async () => {
    expect(await directory.claim(key, mine)).toBe(true);
    expect(await directory.claim(key, theirs)).toBe(false);
    expect(await readFile(path, 'utf8')).toBe(mine);
    expect(statSync(path).mtimeMs).toBe(clock);
    expect(await files()).toEqual([`${key}.json`]);
  });

  test('in a folder that is not there names the file and the errno', async () => {
    await rm(directory.subnetsPath, { recursive: true });
    await expect(directory.claim(key, mine)).rejects.toThrow(/^Cannot write ".*\.tmp": ENOENT$/);
  });
});

describe('renewing a file', () => {
  test('dates it when it is ours', async () => {
    await directory.claim(key, mine);
    clock += 500;
    expect(directory.touch(key, always)).toMatchObject({ node: 'n1' });
    expect(statSync(path).mtimeMs).toBe(clock);
  });

  test('leaves it alone when it is not', async () => {
    await directory.claim(key, theirs);
    clock += 500;
    expect(directory.touch(key, ({ node }) => node === 'n1')).toBe('lost');
    expect(statSync(path).mtimeMs).toBe(clock - 500);
    expect(directory.touch('10.0.2.0-24', always)).toBe('lost');
  });

  test('sees that it was moved away or replaced meanwhile', async () => {
    for (const replacement of [undefined, theirs]) {
      await directory.claim(key, mine);
      const aside = join(directory.subnetsPath, '.aside');
      const move = () => {
        renameSync(path, aside);
        if (replacement !== undefined) writeFileSync(path, replacement);
        return true;
      };
      clock += 500;
      expect(directory.touch(key, move)).toBe('lost');
      // Who moved it can see that its holder lives.
      expect(statSync(aside).mtimeMs).toBe(clock);
    }
    expect(await readFile(path, 'utf8')).toBe(theirs);
  });
});

describe('removing a file', () => {
  test('looks a second time when nobody else can reach it', async () => {
    await directory.claim(key, mine);
    expect(
      await directory.removeIf(key, ({ lease, renewedAt }) => lease?.node === 'n1' && renewedAt === clock),
    ).toBe(true);
    expect(await files()).toEqual([]);
    expect(await directory.removeIf(key, always)).toBe(true);
  });

  test('puts it back when it was renewed meanwhile', async () => {
    await directory.claim(key, mine);
    clock += 5_000;
    const renewAtTheLastMoment = () => {
      utimesSync(path, clock / 1000, clock / 1000);
      return true;
    };
    // The renewal comes between the look that found it expired and the removal.
    renewAtTheLastMoment();
    expect(await directory.removeIf(key, (file) => directory.isExpired(file))).toBe(false);
    expect(await readFile(path, 'utf8')).toBe(mine);
    expect(statSync(path).mtimeMs).toBe(clock);
    expect(await files()).toEqual([`${key}.json`]);
  });

  test('lets a claim stand that was made while it was away', async () => {
    await directory.claim(key, mine);
    const claimMeanwhile = () => {
      writeFileSync(path, theirs);
      return false;
    };
    expect(await directory.removeIf(key, claimMeanwhile)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(theirs);
    expect(await files()).toEqual([`${key}.json`]);
  });
});

test('temporary files of dead processes go when they are old, and nothing else does', async () => {
  const names = ['.10.0.1.0-24.1-aa.tmp', '.10.0.1.0-24.2-bb.tmp', '.keep', 'x.tmp'];
  for (const name of names) {
    const file = join(directory.subnetsPath, name);
    writeFileSync(file, '');
    const age = name.includes('2-bb') ? 2 : 120;
    utimesSync(file, clock / 1000 - age, clock / 1000 - age);
  }
  await directory.prepare();
  expect((await files()).sort()).toEqual(['.10.0.1.0-24.2-bb.tmp', '.keep', 'x.tmp']);
});

describe('reading a file that others could have put there', () => {
  test('refuses links, folders and what is too large, and does not wait for a pipe', async () => {
    await symlink('/etc/passwd', join(root, 'link'));
    await mkdir(join(root, 'folder'));
    await writeFile(join(root, 'large'), ' '.repeat(65_537));
    expect(() => readPlainFile(join(root, 'link'))).toThrow('it is a symbolic link');
    expect(() => readPlainFile(join(root, 'folder'))).toThrow('it is not a regular file');
    expect(() => readPlainFile(join(root, 'large'))).toThrow('it has 65537 bytes: at most 65536 are taken');
    expect(readPlainFile(join(root, 'nothing'))).toBeUndefined();
  });
});

describe('scanning', () => {
  test('reads only what has changed, and takes a renewal for no change of the lease', async () => {
    await directory.claim(key, mine);
    const scanner = new LeaseScan(directory);
    const look = async () => (await scanner.scan()).files.get(key);
    const first = await look();
    clock += 500;
    directory.touch(key, always);
    const renewed = await look();
    expect(renewed?.renewedAt).toBe(clock);
    expect(renewed?.lease).toBe(first?.lease);
    expect(renewed?.dated?.expiresAt).toBe(clock + 1_000);
    expect(await look()).toBe(renewed);
    await directory.replace(key, theirs);
    expect((await look())?.lease?.node).toBe('n2');
  });

  test('sees a change in place of the same size and time', async () => {
    await directory.claim(key, mine);
    const scanner = new LeaseScan(directory);
    await scanner.scan();
    writeFileSync(path, theirs);
    utimesSync(path, clock / 1000, clock / 1000);
    expect((await scanner.scan()).files.get(key)?.lease?.node).toBe('n2');
  });
});
