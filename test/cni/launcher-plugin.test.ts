// The launcher without an agent: the plugin that it runs as a child, in all the ways in which that can go wrong.
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { executePlugin } from '../../cli/libcni/execute-plugin.ts';
import { execute } from '../../kernel/exec.ts';
import { refuseRoot } from '../sandbox.ts';
import { answerOf } from './answer-of.ts';
import { buildLauncher, hasCompiler } from './launcher-build.ts';

const describeLauncher = hasCompiler ? describe : describe.skip;
const scripts = new URL('../../scripts', import.meta.url).pathname;

describeLauncher('the launcher runs the plugin', () => {
  let root: string;
  let plugin: string;
  let launcher: string;
  let hasty: string;
  let state: string;
  beforeAll(() => {
    refuseRoot();
    root = mkdtempSync(join(tmpdir(), 'netloom-launcher-'));
    plugin = join(root, 'plugin');
    launcher = buildLauncher({ path: join(root, 'launcher'), plugin });
    hasty = buildLauncher({ path: join(root, 'hasty'), plugin, deadlineMs: 600 });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  beforeEach(() => {
    state = mkdtempSync(join(root, 'state-'));
  });

  const pluginIs = (script: string) => {
    writeFileSync(plugin, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  const input = () => JSON.stringify({ runDirectory: root, stateDirectory: state });
  const start = (command: string, { path = launcher, env = {}, stdin = input() } = {}) =>
    executePlugin({ path, stdin, env: { CNI_COMMAND: command, CNI_CONTAINERID: 'one', ...env } });
  const call = (...args: Parameters<typeof start>) => answerOf(start(...args));
  const queued = () => readdirSync(join(state, 'del-queue'));

  function isRunning(pid: number): boolean {
    try {
      return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  }
  async function until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const pids = (): readonly number[] =>
    readFileSync(join(root, 'pids'), 'utf8').trim().split('\n').map(Number);

  test('it gets CNI_*, PATH and standard input; its output and exit code are passed on', async () => {
    pluginIs('/usr/bin/env | grep -v ^PWD= | sort; cat; echo no >&2; exit 7');
    const { exitCode, stdout, stderr } = await call('ADD', {
      env: { CNI_ARGS: 'a=b', HOME: '/root', PATH: '/usr/bin:/bin', X: '1' },
    });
    const env = ['CNI_ARGS=a=b', 'CNI_COMMAND=ADD', 'CNI_CONTAINERID=one', 'PATH=/usr/bin:/bin'];
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 7,
      stdout: `${env.join('\n')}\n${input()}`,
      stderr: '',
    });
  });

  test('it inherits no descriptor of ours', async () => {
    pluginIs('exec ls -l /proc/self/fd');
    const shell = join(root, 'shell');
    // What the launcher has: its standard output is told first, on standard error.
    writeFileSync(shell, `#!/bin/sh\nreadlink /proc/$$/fd/1 >&2\nexec ${launcher} 5</etc/hostname 9>&1\n`, {
      mode: 0o755,
    });
    const { stdout, stderr } = await call('ADD', { path: shell });
    const open = [...stdout.matchAll(/ (\d+) -> (.*)$/gm)].map(([, fd, target = '']) => ({ fd, target }));
    expect(open.map(({ fd }) => fd)).toEqual(['0', '1', '2', '3']);
    // ls itself opened the directory.
    expect(open[3]?.target).toMatch(/^\/proc\/\d+\/fd$/);
    expect(stderr.trim()).toMatch(/^(pipe|socket):/);
    for (const { target } of open.slice(0, 3)) {
      expect(target).toMatch(/^pipe:/);
      expect(target).not.toBe(stderr.trim());
    }
    expect(new Set(open.map(({ target }) => target)).size).toBe(4);
  });

  test('standard streams that are closed are not taken by what the launcher opens', async () => {
    pluginIs('exec ls -l /proc/self/fd');
    const shell = join(root, 'shell-closed');
    writeFileSync(shell, `#!/bin/sh\nexec ${launcher} <&- 2>&-\n`, { mode: 0o755 });
    const { exitCode, stdout } = await call('ADD', { path: shell });
    expect(exitCode).toBe(0);
    expect([...stdout.matchAll(/ (\d+) -> pipe/g)].map(([, fd]) => fd)).toEqual(['0', '1', '2']);
  });

  test('much in, much out, unread input', async () => {
    const stdin = input().padEnd(1 << 20, ' ');
    pluginIs('exec cat');
    expect((await call('ADD', { stdin })).stdout).toBe(stdin);
    pluginIs("echo '{}'");
    expect(await call('ADD', { stdin })).toEqual({ exitCode: 0, stdout: '{}\n', stderr: '' });
    pluginIs("head -c 200000 /dev/zero >&2; echo '{}'");
    expect(await call('ADD')).toEqual({ exitCode: 0, stdout: '{}\n', stderr: '' });
  });

  describe.each([
    ['that crashes', 'echo "boom \\"x\\"" >&2; exit 3', 'boom "x"\n'],
    ['that is killed', 'echo first >&2; kill -9 $$', 'first\n'],
    ['whose words are no text', "printf 'a\\377\\033\\001b' >&2; exit 1", 'a???b'],
    ['that prints without end', 'exec yes', 'it was not done in time'],
  ])('a plugin %s', (_, script, details) => {
    test('ADD, CHECK, GC, STATUS: try again later, and why; DEL is queued', async () => {
      pluginIs(script);
      for (const command of ['ADD', 'CHECK', 'GC', 'STATUS']) {
        const { exitCode, stdout } = await call(command);
        expect(exitCode).toBe(1);
        expect(JSON.parse(stdout)).toEqual({
          code: 11,
          msg: 'There is no agent, and the plugin failed without it',
          details,
        });
      }
      expect(await call('DEL')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
      expect(queued()).toHaveLength(1);
    });
  });

  test('an ADD without a result is a failure, another call without output is not', async () => {
    pluginIs('exit 0');
    expect(JSON.parse((await call('ADD')).stdout)).toMatchObject({ code: 11 });
    for (const command of ['CHECK', 'DEL', 'STATUS'])
      expect(await call(command)).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(state, 'del-queue'))).toBe(false);
  });

  test('no plugin, a plugin without its checkout, a checkout without Node', async () => {
    rmSync(plugin, { force: true });
    expect(JSON.parse((await call('ADD')).stdout)).toMatchObject({
      code: 11,
      details: `Cannot run "${plugin}": No such file or directory`,
    });
    writeFileSync(plugin, readFileSync(join(scripts, 'netloom-cni')), { mode: 0o755 });
    const { code, details } = JSON.parse((await call('ADD')).stdout);
    expect(code).toBe(11);
    expect(details).toContain(`${plugin} is in no checkout of Netloom`);
    expect(await call('DEL')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(queued()).toHaveLength(1);

    mkdirSync(join(root, 'scripts'));
    for (const script of ['netloom-cni', 'program-paths', 'node-path'])
      copyFileSync(join(scripts, script), join(root, 'scripts', script));
    rmSync(plugin);
    symlinkSync(join(root, 'scripts', 'netloom-cni'), plugin);
    expect(JSON.parse((await call('ADD')).stdout)).toMatchObject({
      code: 11,
      details: expect.stringMatching(/node is missing: run scripts\/setup/),
    });
    rmSync(plugin);
  });

  test('at the deadline it is killed, with what it started', async () => {
    pluginIs(`sleep 1000 & echo $$ >${root}/pids; echo $! >>${root}/pids; sleep 1000`);
    const { exitCode, stdout } = await call('ADD', { path: hasty });
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: 11, details: 'it was not done in time' });
    await until(() => !pids().some(isRunning));
  });

  test('what it leaves running neither delays the answer nor stays', async () => {
    pluginIs(`sleep 1000 & echo $! >${root}/pids; echo '{}'`);
    expect(await call('ADD')).toEqual({ exitCode: 0, stdout: '{}\n', stderr: '' });
    await until(() => !pids().some(isRunning));
  });

  test('when the launcher is killed, it dies', async () => {
    rmSync(join(root, 'pids'), { force: true });
    pluginIs(`echo $$ >${root}/pids.new; mv ${root}/pids.new ${root}/pids; exec sleep 1000`);
    const execution = start('ADD');
    await until(() => existsSync(join(root, 'pids')));
    expect(pids().map(isRunning)).toEqual([true]);
    execution.kill();
    expect(await execution.done).toMatchObject({ exitCode: undefined });
    await until(() => !pids().some(isRunning));
  });
});

describeLauncher('scripts/install-cni', () => {
  let directory: string;
  beforeAll(() => {
    refuseRoot();
    directory = mkdtempSync(join(tmpdir(), 'netloom-install-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('a copy finds the plugin of the checkout, also one that replaces a launcher that runs', async () => {
    const target = join(directory, 'bin');
    const path = join(target, 'netloom-cni');
    const install = () => execute([join(scripts, 'install-cni'), target]);
    expect((await install()).stdout).toBe(`${path}\n`);
    const running = spawn(path, { env: { CNI_COMMAND: 'STATUS' } });
    await install();
    running.kill('SIGKILL');
    expect(readdirSync(target)).toEqual(['netloom-cni']);
    const stdin = JSON.stringify({
      cniVersion: '1.1.0',
      name: 'n',
      runDirectory: directory,
      subnetFile: '/none',
    });
    const { exitCode, stdout } = await executePlugin({ path, stdin, env: { CNI_COMMAND: 'STATUS' } }).done;
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ cniVersion: '1.1.0', code: 50 });
  });
});
