import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runInstall, runUninstall } from './run-install.ts';
import type { ServiceManager } from './service-manager.ts';

let place: string;
let root: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'netloom-install-'));
  root = join(place, 'node');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc', 'hostname'), 'node\n');
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

/** As scripts/release makes it, but small. */
function makeRelease(version: string): string {
  const directory = join(place, `netloom-${version}`);
  if (existsSync(directory)) return directory;
  const file = (path: string, text: string, mode?: number) => write(join(directory, path), text, mode);
  file('package.json', JSON.stringify({ name: 'netloom', version }));
  file('scripts/netloom', `#!/bin/sh\necho ${version}\n`, 0o755);
  file('scripts/netloom-cni', '#!/bin/sh\n', 0o755);
  file('build/netloom-cni', `launcher of ${version}`, 0o755);
  file('build/program/cli/main.cjs', `program of ${version}`);
  file('share/netloom.yaml', `# defaults of ${version}\n`);
  for (const unit of ['netloom', 'netloom-agent', 'netloom-proxy'])
    file(`share/systemd/${unit}.service`, `# ${unit} of ${version}\n`);
  file('share/man/man5/netloom.yaml.5', 'settings');
  file('share/man/man8/netloom.8', version);
  // A page that only this version has.
  file(`share/man/man8/netloom-${version}.8`, version);
  file('share/completions/netloom.bash', 'complete');
  return directory;
}

const settings = () => ({
  root,
  pluginOnly: false,
  cniBinDirectory: '/opt/cni/bin',
  restart: true,
  dryRun: false,
  services: undefined,
});

const install = (version: string, more: Partial<Parameters<typeof runInstall>[0]> = {}) =>
  runInstall({ ...settings(), directory: makeRelease(version), ...more });
const uninstall = (dryRun = false) => runUninstall({ root, dryRun, services: undefined });

/** Everything below the root: kind, mode and content by path. */
function look(directory = root, prefix = ''): readonly string[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const path = join(directory, name);
      const stats = lstatSync(path);
      const at = `${prefix}/${name}`;
      const mode = (stats.mode & 0o777).toString(8);
      if (stats.isSymbolicLink()) return [`${at} -> ${readlinkSync(path)}`];
      if (stats.isDirectory()) return [`${at}/ ${mode}`, ...look(path, at)];
      return [`${at} ${mode} ${readFileSync(path, 'utf8').trim()}`];
    });
}

/** Without the record, whose order may differ. */
const lookOfItems = () => look().filter((line) => !line.includes('installed.json'));

test('a node before and after', async () => {
  const before = look();
  const plan = await install('1.0.0', { dryRun: true });
  expect(look()).toEqual(before);
  const report = await install('1.0.0');
  expect(report).toEqual(plan);
  expect(report.left).toEqual([]);
  const node = look();
  expect(node).toEqual(
    expect.arrayContaining([
      '/etc/cni/net.d/ 755',
      '/etc/hostname 644 node',
      '/etc/netloom/netloom.yaml 644 # defaults of 1.0.0',
      '/etc/systemd/system/netloom.service 644 # netloom of 1.0.0',
      '/opt/cni/bin/netloom-cni 755 launcher of 1.0.0',
      '/opt/netloom/1.0.0/scripts/netloom 755 #!/bin/sh\necho 1.0.0',
      '/opt/netloom/current -> 1.0.0',
      '/usr/local/bin/netloom -> /opt/netloom/current/scripts/netloom',
      '/usr/local/share/man/man8/netloom.8 644 1.0.0',
    ]),
  );
  expect((await install('1.0.0')).done).toEqual([]);
  expect(look()).toEqual(node);
  const removal = await uninstall(true);
  expect(look()).toEqual(node);
  expect(await uninstall()).toEqual(removal);
  expect(look()).toEqual(before);
  expect(await uninstall()).toBeUndefined();
});

test('an upgrade keeps the version before it, and only that; back is the same', async () => {
  await install('1.0.0');
  const first = lookOfItems().filter((line) => !line.includes('/opt/netloom/'));
  const { done } = await install('2.0.0');
  // The link, when all that it leads to is there.
  expect(done.findIndex((line) => line.includes('ln -s 2.0.0'))).toBeGreaterThan(
    done.findIndex((line) => line.startsWith('cp -r')),
  );
  expect(lookOfItems()).toEqual(
    expect.arrayContaining(['/opt/netloom/current -> 2.0.0', '/opt/netloom/1.0.0/ 755']),
  );
  expect(look().join()).not.toContain('man8/netloom-1.0.0.8 644 1.0.0,/usr');
  // As an operator would: the old version's own command, from the node.
  await install('1.0.0', { directory: join(root, 'opt/netloom/1.0.0') });
  expect(lookOfItems().filter((line) => !line.includes('/opt/netloom/'))).toEqual(first);
  expect(lookOfItems()).toEqual(
    expect.arrayContaining(['/opt/netloom/current -> 1.0.0', '/opt/netloom/2.0.0/ 755']),
  );
  await install('3.0.0');
  const versions = readdirSync(join(root, 'opt/netloom'));
  expect(versions.sort()).toEqual(['1.0.0', '3.0.0', 'current', 'installed.json']);
  expect((await install('3.0.0')).done).toEqual([]);
});

test('from any state to any other the node is as after that alone', async () => {
  const states = ['none', '1.0.0', '2.0.0', 'plugin'] as const;
  const enter = async (state: (typeof states)[number]) => {
    if (state === 'none') await uninstall();
    else await install(state === 'plugin' ? '1.0.0' : state, { pluginOnly: state === 'plugin' });
  };
  const outside = () => lookOfItems().filter((line) => !line.includes('/opt/netloom/'));
  const alone = new Map<string, readonly string[]>();
  for (const state of states) {
    await uninstall();
    await enter(state);
    alone.set(state, outside());
  }
  await uninstall();
  for (const from of states) {
    for (const to of states.filter((state) => state !== 'plugin')) {
      for (const state of [from, to]) await enter(state);
      expect([from, to, ...outside()]).toEqual([from, to, ...(alone.get(to) ?? [])]);
    }
  }
});

describe('configuration', () => {
  const path = () => join(root, 'etc/netloom/netloom.yaml');

  test('that nobody changed follows the version', async () => {
    await install('1.0.0');
    await install('2.0.0');
    expect(readFileSync(path(), 'utf8')).toBe('# defaults of 2.0.0\n');
  });

  test('that somebody changed is his: neither written nor removed, and said so', async () => {
    await install('1.0.0');
    writeFileSync(path(), 'logLevel: debug\n');
    expect((await install('2.0.0')).left).toEqual([
      `/etc/netloom/netloom.yaml: it was changed; the defaults of 2.0.0 are in ${place}/netloom-2.0.0/share/netloom.yaml`,
    ]);
    expect((await uninstall())?.left).toEqual([
      '/etc/netloom/netloom.yaml: it was changed since Netloom made it',
    ]);
    expect(look()).toEqual([
      '/etc/ 755',
      '/etc/hostname 644 node',
      '/etc/netloom/ 755',
      '/etc/netloom/netloom.yaml 644 logLevel: debug',
    ]);
  });
});

test('somebody else’s file in our place is refused before anything is made', async () => {
  write(join(root, 'usr/local/bin/netloom'), 'theirs');
  const before = look();
  await expect(install('1.0.0')).rejects.toThrow(
    'Cannot install "/usr/local/bin/netloom": something is there that Netloom did not make; move it away',
  );
  expect(look()).toEqual(before);
});

test('what others put beside ours stays, also in directories that we made', async () => {
  await install('1.0.0');
  write(join(root, 'opt/cni/bin/bridge'), 'theirs', 0o755);
  await uninstall();
  expect(look().filter((line) => line.startsWith('/opt'))).toEqual([
    '/opt/ 755',
    '/opt/cni/ 755',
    '/opt/cni/bin/ 755',
    '/opt/cni/bin/bridge 755 theirs',
  ]);
});

test('a link that leads out of the root is not followed', async () => {
  mkdirSync(join(place, 'outside'));
  mkdirSync(join(root, 'opt'));
  symlinkSync(join(place, 'outside'), join(root, 'opt/cni'));
  await expect(install('1.0.0')).rejects.toThrow(`a link leads out of it, to "${join(place, 'outside')}"`);
  expect(readdirSync(join(place, 'outside'))).toEqual([]);
});

test('an installation that was cut off is gone on with, and can be taken away', async () => {
  const before = look();
  // Too long for the name that it is made under: what comes before it is made by then.
  const page = join(makeRelease('1.0.0'), 'share/man/man8', 'x'.repeat(250));
  write(page, '');
  await expect(install('1.0.0')).rejects.toThrow('name too long');
  expect(look().join()).toContain('/opt/netloom/1.0.0/scripts/netloom');
  expect(existsSync(join(root, 'opt/netloom/current'))).toBe(false);
  mkdirSync(join(root, 'opt/netloom/.1.0.0.abc123'));
  rmSync(page);
  await install('1.0.0');
  expect((await install('1.0.0')).done).toEqual([]);
  expect(look().join()).not.toContain('abc123');
  await uninstall();
  expect(look()).toEqual(before);
});

test('a damaged release is put right', async () => {
  await install('1.0.0');
  const whole = look();
  write(join(root, 'opt/netloom/1.0.0/build/program/cli/main.cjs'), 'damaged');
  // What Node compiled is none of it.
  write(join(root, 'opt/netloom/1.0.0/node_modules/.cache/x'), 'compiled');
  expect((await install('1.0.0')).done).toEqual([expect.stringContaining('cp -r')]);
  expect(look()).toEqual(whole);
});

test('only the plugin: with what it runs, and nothing else', async () => {
  const { done } = await install('1.0.0', { pluginOnly: true, cniBinDirectory: '/usr/lib/cni' });
  expect(done.filter((line) => !line.startsWith('mkdir'))).toEqual([
    `cp -r ${place}/netloom-1.0.0 /opt/netloom/1.0.0`,
    'ln -s 1.0.0 /opt/netloom/current',
    `cp ${place}/netloom-1.0.0/build/netloom-cni /usr/lib/cni/netloom-cni`,
  ]);
});

test('a release without a launcher has the script in its place', async () => {
  rmSync(join(makeRelease('1.0.0'), 'build/netloom-cni'));
  await install('1.0.0');
  expect(readlinkSync(join(root, 'opt/cni/bin/netloom-cni'))).toBe(
    '/opt/netloom/current/scripts/netloom-cni',
  );
});

describe('refused', () => {
  test('a checkout', async () => {
    await expect(install('1.0.0', { directory: place })).rejects.toThrow('that is no release but a checkout');
  });

  test.each([
    ['another package', { name: 'other', version: '1.0.0' }],
    ['a version that is a path', { name: 'netloom', version: '1/../../etc' }],
  ])('%s', async (_, content) => {
    write(join(makeRelease('1.0.0'), 'package.json'), JSON.stringify(content));
    await expect(install('1.0.0')).rejects.toThrow('Cannot read the release in');
  });

  test('a node whose files are dpkg’s', async () => {
    write(join(root, 'opt/netloom/installed-by-dpkg'), '');
    await expect(install('1.0.0')).rejects.toThrow('it belongs to the Debian package');
    await expect(uninstall()).rejects.toThrow('it belongs to the Debian package');
  });

  test('a record that cannot be read, with its path', async () => {
    await install('1.0.0');
    const record = join(root, 'opt/netloom/installed.json');
    write(record, '{"items": {"relative": {}}}');
    await expect(uninstall()).rejects.toThrow(`Cannot read what was installed from "${record}"`);
  });

  test('a root that is not there', async () => {
    renameSync(root, `${root}.moved`);
    await expect(install('1.0.0')).rejects.toThrow('no such file or directory');
  });
});

test('services are asked only when the root is the machine’s own', async () => {
  const fail = () => Promise.reject(new Error('asked'));
  const services: ServiceManager = { active: fail, reload: fail, restart: fail, disable: fail };
  await install('1.0.0', { services });
  await runUninstall({ root, dryRun: false, services });
});
