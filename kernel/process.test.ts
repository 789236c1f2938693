import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  isRunning,
  listProcesses,
  ownLineage,
  type ProcessIdentity,
  readProcess,
  residentMemory,
  runAttached,
  startDaemon,
  stopProcesses,
} from './process.ts';

let directory: string;
const started: ProcessIdentity[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-process-'));
});

afterEach(async () => {
  await stopProcesses(started.splice(0), { grace: 0 });
  rmSync(directory, { recursive: true });
});

async function start(script: string): Promise<ProcessIdentity> {
  const identity = await startDaemon(['sh', '-c', script], { logFile: join(directory, 'log') });
  started.push(identity);
  return identity;
}

async function logged(words: string): Promise<void> {
  while (!readFileSync(join(directory, 'log'), 'utf8').includes(words)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a daemon', () => {
  test('runs in a session of its own, with its output in the log, until it is stopped', async () => {
    const daemon = await start('echo out; echo err >&2; sleep 60');
    await logged('err');
    expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('out\nerr\n');
    expect(isRunning(daemon)).toBe(true);
    expect(readProcess(daemon.pid)).toMatchObject({ parent: process.pid, startTime: daemon.startTime });
    expect(readFileSync(`/proc/${daemon.pid}/stat`, 'latin1').split(' ')[5]).toBe(String(daemon.pid));
    expect(residentMemory(daemon.pid)).toBeGreaterThan(0);
    await stopProcesses([daemon], { grace: 5000 });
    expect(isRunning(daemon)).toBe(false);
    expect(residentMemory(daemon.pid)).toBeUndefined();
  });

  test('that does not heed SIGTERM is killed when its grace is over', async () => {
    const daemon = await start('trap "echo no" TERM; echo ready; while :; do sleep 0.01; done');
    await logged('ready');
    await stopProcesses([daemon], { grace: 500 });
    expect(isRunning(daemon)).toBe(false);
    expect(readFileSync(join(directory, 'log'), 'utf8')).toContain('no');
  });

  test('that is no program is an error that says so', async () => {
    await expect(startDaemon(['/nowhere/program', 'x'], { logFile: join(directory, 'log') })).rejects.toThrow(
      'Cannot start "/nowhere/program x": spawn /nowhere/program ENOENT',
    );
  });
});

test('a process that has the number of another one, but not its start, is left alone', async () => {
  const daemon = await start('sleep 60');
  const namesake = { pid: daemon.pid, startTime: daemon.startTime - 1 };
  expect(isRunning(namesake)).toBe(false);
  await stopProcesses([namesake], { grace: 0 });
  expect(isRunning(daemon)).toBe(true);
});

test('our own process is listed, with its arguments and its namespace', () => {
  const own = listProcesses().find(({ pid }) => pid === process.pid);
  expect(own?.argv[0]).toContain('node');
  expect(own?.parent).toBe(process.ppid);
  expect(own?.netns).toBeGreaterThan(0);
  expect([...ownLineage()].slice(0, 2)).toEqual([process.pid, process.ppid]);
});

test.each([
  ['exit 0', 0],
  ['exit 7', 7],
  ['kill -TERM $$', 128 + 15],
])('a program on our terminal: %s ends with %i', async (script, code) => {
  expect(await runAttached(['sh', '-c', script])).toBe(code);
});

test('a program on our terminal that is none is an error that says so', async () => {
  await expect(runAttached(['/nowhere/program'])).rejects.toThrow('Cannot run "/nowhere/program"');
});
