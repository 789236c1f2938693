// The Debian package, installed, upgraded, downgraded, removed and purged by dpkg, in a root of its own over this machine's (overlay, chroot). systemd is a
// script that writes down what it is told: the maintainer scripts are what is tested, not systemd.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';

const checkout = new URL('../..', import.meta.url).pathname;
const versions = ['0.0.1', '0.0.2', '0.0.3'] as const;
const hasDpkg =
  existsSync('/usr/bin/dpkg-deb') && readFileSync('/proc/filesystems', 'utf8').includes('\toverlay');
if (!hasDpkg) process.stderr.write('    skipped: the Debian package (no dpkg, or no overlay file system)\n');

(hasDpkg ? describe : describe.skip)('the Debian package', () => {
  let place: string;
  let root: string;
  beforeAll(() => {
    refuseRoot();
    place = mkdtempSync(join(tmpdir(), 'netloom-debian-'));
    const release = join(place, 'release');
    const run = (program: string, ...args: readonly string[]) =>
      execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    run(join(checkout, 'scripts/release'), release, '--version', versions[0]);
    const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
    for (const version of versions) {
      const own = join(place, `release-${version}`);
      cpSync(release, own, { recursive: true });
      writeFileSync(
        join(own, 'package.json'),
        readFileSync(join(own, 'package.json'), 'utf8').replace(versions[0], version),
      );
      writeFileSync(join(own, 'share/netloom.yaml'), `# defaults of ${version}\n`);
      run('sh', join(checkout, 'deploy/debian/lay-out'), own, join(place, 'files'), version, architecture);
      // What it weighs is not the matter here.
      run(
        'dpkg-deb',
        '--build',
        '--root-owner-group',
        '-Znone',
        join(place, 'files'),
        join(place, `${version}.deb`),
      );
      for (const directory of [own, join(place, 'files')]) rmSync(directory, { recursive: true });
    }
    rmSync(release, { recursive: true });
    root = join(place, 'root');
    for (const name of ['root', 'over', 'work']) mkdirSync(join(place, name));
    run(
      'mount',
      '-t',
      'overlay',
      '-o',
      `lowerdir=/,upperdir=${join(place, 'over')},workdir=${join(place, 'work')}`,
      'netloom-test',
      root,
    );
    for (const name of ['proc', 'dev']) run('mount', '--bind', `/${name}`, join(root, name));
    run('mount', '-t', 'tmpfs', 'netloom-test', join(root, 'run'));
    mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
    rmSync(join(root, 'usr/bin/systemctl'), { force: true });
    writeFileSync(
      join(root, 'usr/bin/systemctl'),
      '#!/bin/sh\necho "$*" >>/run/told\n[ "$2" != is-active ] || [ "$3" = netloom ]\n',
    );
    chmodSync(join(root, 'usr/bin/systemctl'), 0o755);
    rmSync(join(root, 'opt/netloom'), { recursive: true, force: true });
    for (const version of versions) cpSync(join(place, `${version}.deb`), join(root, `${version}.deb`));
  });
  afterAll(() => {
    for (const name of ['run', 'proc', 'dev', ''])
      execFileSync('umount', [join(root, name)], { stdio: 'ignore' });
    rmSync(place, { recursive: true, force: true });
  });
  beforeEach(() => rmSync(join(root, 'run/told'), { force: true }));

  const inside = (...command: readonly string[]): string =>
    execFileSync('chroot', [root, ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  // Other packages' triggers (an index of manual pages) take their time.
  const dpkg = (...args: readonly string[]): string =>
    inside('dpkg', '--no-triggers', '--force-depends', '--force-confold', ...args);
  const unpack = (version: string): string => dpkg('--install', `/${version}.deb`);
  const told = (): readonly string[] => {
    try {
      return readFileSync(join(root, 'run/told'), 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  const releases = (): readonly string[] =>
    readdirSync(join(root, 'opt/netloom'))
      .filter((name) => name !== 'installed-by-dpkg' && name !== 'current')
      .sort();
  const current = (): string => readlinkSync(join(root, 'opt/netloom/current'));

  test('installed: the command, the units and the manual are there, and nothing is started', () => {
    expect(unpack('0.0.1')).toContain('to start: systemctl enable --now netloom');
    expect(inside('/usr/bin/netloom', '--version').trim()).toBe('0.0.1');
    expect([releases(), current()]).toEqual([['0.0.1'], '0.0.1']);
    for (const path of [
      'opt/cni/bin/netloom-cni',
      'usr/lib/systemd/system/netloom.service',
      'usr/share/man/man8/netloom.8.gz',
    ])
      expect([path, statSync(join(root, path)).uid]).toEqual([path, 0]);
    expect(inside('dpkg', '--verify', 'netloom')).toBe('');
    expect(() => inside('/opt/netloom/0.0.1/scripts/netloom', 'install')).toThrow(
      'it belongs to the Debian package',
    );
  });

  test('upgraded: the daemon is restarted, the version before stays whole, settings stay the user’s', () => {
    writeFileSync(join(root, 'etc/netloom/netloom.yaml'), 'logLevel: debug\n');
    unpack('0.0.2');
    expect(inside('/usr/bin/netloom', '--version').trim()).toBe('0.0.2');
    expect([releases(), current()]).toEqual([['0.0.1', '0.0.2'], '0.0.2']);
    expect(told()).toEqual(expect.arrayContaining(['daemon-reload', 'restart netloom']));
    expect(told()).not.toContain('restart netloom-proxy');
    expect(told().join()).not.toContain('disable');
    // All of it, with what a daemon that still runs loads later.
    expect(inside('/opt/netloom/0.0.1/scripts/netloom', 'doctor', '--help')).toContain(
      'Usage: netloom doctor',
    );
    expect(readFileSync(join(root, 'etc/netloom/netloom.yaml'), 'utf8')).toBe('logLevel: debug\n');
    unpack('0.0.3');
    expect([releases(), current()]).toEqual([['0.0.2', '0.0.3'], '0.0.3']);
  });

  test('downgraded: the same the other way', () => {
    unpack('0.0.2');
    expect(inside('/usr/bin/netloom', '--version').trim()).toBe('0.0.2');
    expect([releases(), current()]).toEqual([['0.0.2', '0.0.3'], '0.0.2']);
    expect(inside('dpkg', '--verify', 'netloom')).toMatch(/^(?:\S+ c \/etc\/netloom\/netloom\.yaml\n)?$/);
    expect(told()).toContain('restart netloom');
  });

  test('removed: the daemons end, nothing is left but settings; purged: these too', () => {
    dpkg('--remove', 'netloom');
    expect(told()).toContain('--quiet disable --now netloom netloom-agent netloom-proxy');
    for (const path of [
      'opt/netloom',
      'opt/cni/bin/netloom-cni',
      'usr/bin/netloom',
      'usr/lib/systemd/system/netloom.service',
    ])
      expect([path, existsSync(join(root, path))]).toEqual([path, false]);
    expect(existsSync(join(root, 'etc/netloom/netloom.yaml'))).toBe(true);
    dpkg('--purge', 'netloom');
    expect(existsSync(join(root, 'etc/netloom'))).toBe(false);
  });

  test('beside an installation by "netloom install": refused', () => {
    mkdirSync(join(root, 'opt/netloom'), { recursive: true });
    writeFileSync(join(root, 'opt/netloom/installed.json'), '{}');
    expect(() => unpack('0.0.1')).toThrow('run "netloom uninstall" first');
    expect(readdirSync(join(root, 'opt/netloom'))).toEqual(['installed.json']);
  });
});
