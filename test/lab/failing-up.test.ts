// `lab up` when a part of it does not work: it says which step failed and why, and leaves nothing. Parts are broken by mounts,
// which only this sandbox sees.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pluginDirectory } from '../../cli/lab/plugin-directory.ts';
import { execute } from '../../kernel/exec.ts';
import { refuseRoot } from '../sandbox.ts';
import { leftovers, netloom } from './netloom-command.ts';

const lab = 'failing';
let directory: string;

beforeAll(() => {
  refuseRoot();
  directory = mkdtempSync(join(tmpdir(), 'netloom-failing-'));
});

afterAll(async () => {
  await netloom('lab', 'down', '--name', lab);
  rmSync(directory, { recursive: true });
});

/** Runs `lab up` while `text` stands in the place of the package's file. */
async function upWith(file: string, text: string) {
  const target = resolve(fileURLToPath(new URL('../..', import.meta.url)), file);
  const instead = join(directory, 'instead');
  writeFileSync(instead, text, { mode: 0o755 });
  await execute(['mount', '--bind', instead, target]);
  try {
    return await netloom('lab', 'up', '--name', lab, '--nodes', '2', '--pods-per-node', '1');
  } finally {
    await execute(['umount', target]);
  }
}

test('an agent that dies: its name, and the end of its log', async () => {
  const { exitCode, stdout, stderr } = await upWith(
    'agent/run-agent.ts',
    "export const runAgent = () => Promise.reject(new Error('broken on purpose'));\n",
  );
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(/✗ Starting 2 nodes/);
  expect(stderr).toMatch(
    /netloom: The agent of node "n[12]" failed: it ended\n( {2}\| .*\n)* {2}\| .*broken on purpose/,
  );
  expect(await leftovers(lab)).toEqual([]);
});

test('a plugin that refuses: its own words', async () => {
  const answer = '{"cniVersion":"1.0.0","code":11,"msg":"Not today","details":"it rains"}';
  const script = `#!/bin/sh\necho '${answer}'\nexit 1\n`;
  const { exitCode, stderr } = await upWith(`${pluginDirectory()}/netloom-cni`, script);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/netloom: Pod "pod-[12]a" failed: .* ADD .*: Not today \(it rains\), code 11/);
  expect(await leftovers(lab)).toEqual([]);
});

test('a flag that the agent does not know: what it says about it', async () => {
  const { exitCode, stderr } = await netloom(
    'lab',
    'up',
    '--name',
    lab,
    '--nodes',
    '1',
    '--agent-flag=--masqerade=no',
  );
  expect(exitCode).toBe(1);
  expect(stderr).toContain("unknown option '--masqerade=no'");
  expect(await leftovers(lab)).toEqual([]);
});
