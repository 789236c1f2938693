// `lab up` when a part of it does not work: it says which step failed and why, and leaves nothing. Parts are broken in a layer over the
// package, which no other test sees.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pluginDirectory } from '../../cli/lab/plugin-directory.ts';
import { execute } from '../../kernel/exec.ts';
import { packageRoot } from '../../runtime/package-files.ts';
import { refuseRoot } from '../sandbox.ts';
import { leftovers, netloom } from './netloom-command.ts';

const lab = 'failing';
let directory: string;

beforeAll(() => {
  refuseRoot();
  // In memory: a layer cannot lie on one.
  directory = mkdtempSync('/run/netloom-failing-');
});

afterAll(async () => {
  await netloom('lab', 'down', '--name', lab);
  rmSync(directory, { recursive: true });
});

/** Runs `lab up` of a package that has `text` in the place of a file of its own: a layer over it, that other tests do not see. */
async function upWith(file: string, text: string) {
  const made = mkdtempSync(join(directory, 'layer-'));
  const [above, work, merged] = [join(made, 'above'), join(made, 'work'), join(made, 'merged')];
  for (const path of [join(above, dirname(file)), work, merged]) mkdirSync(path, { recursive: true });
  writeFileSync(join(above, file), text, { mode: 0o755 });
  const layers = `lowerdir=${packageRoot},upperdir=${above},workdir=${work}`;
  await execute(['mount', '-t', 'overlay', 'overlay', '-o', layers, merged]);
  try {
    const words = ['lab', 'up', '--name', lab, '--nodes', '2', '--pods-per-node', '1'] as const;
    return await execute([join(merged, 'scripts/netloom'), ...words], {
      okCodes: [0, 1, 2],
      timeout: 60_000,
    });
  } finally {
    await execute(['umount', '--lazy', merged]);
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
  const { exitCode, stderr } = await upWith(
    relative(packageRoot, `${pluginDirectory()}/netloom-cni`),
    script,
  );
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
