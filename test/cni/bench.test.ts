// `netloom bench cni`, small: that it does its work, that its output has the fixed shape, and that it leaves nothing.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { listProcesses } from '../../kernel/process.ts';
import { refuseRoot } from '../sandbox.ts';
import { referenceDirectory } from './reference-plugins.ts';

const main = new URL('../../cli/main.ts', import.meta.url).pathname;

/** What a benchmark with this directory for temporary files left. Other tests may have benchmarks of their own at work. */
const left = (directory: string) => {
  const processes = listProcesses();
  const isRunning = (pid: number): boolean => processes.some((one) => one.pid === pid);
  const ofBench = /^netloom-bench-(\d+)-/;
  return {
    namespaces: (existsSync('/run/netns') ? readdirSync('/run/netns') : []).filter(
      (name) => ofBench.test(name) && !isRunning(Number(ofBench.exec(name)?.[1])),
    ),
    directories: readdirSync(directory),
    agents: processes.filter(({ argv }) => argv.some((word) => word.includes(directory))),
  };
};

let after = (): void => {};
afterEach(() => after());

test('its rows name verb, load and peer, and nothing is left', async () => {
  refuseRoot();
  const directory = mkdtempSync(join(tmpdir(), 'netloom-test-bench-'));
  after = () => rmSync(directory, { recursive: true, force: true });
  const { stdout } = await execute(
    [process.execPath, main, 'bench', 'cni', '--json', '--runs', '1', '--size', '20'],
    { timeout: 110_000, env: { TMPDIR: directory } },
  );
  const { bench, rows } = JSON.parse(stdout);
  expect(bench).toBe('cni');
  expect(rows.map((row: { readonly case: string }) => row.case)).toEqual([
    ...['ADD', 'CHECK', 'STATUS', 'VERSION', 'DEL'],
    ...['ADD', 'CHECK', 'STATUS', 'VERSION', 'DEL'].flatMap((verb) => [
      `ten ${verb} at once, until all are done`,
      `ten ${verb} at once, median of one`,
    ]),
    ...['ADD, 10 ports', 'DEL, 10 ports'],
    ...['ADD', 'DEL'].map((verb) => `${verb}, beside 2 pods with a port`),
    ...['ADD', 'DEL'].flatMap((verb) => [
      `ten ${verb} at once, until all are done, beside 2 pods with a port`,
      `ten ${verb} at once, median of one, beside 2 pods with a port`,
    ]),
    ...['ADD, 80 addresses taken', 'DEL, 80 addresses taken'],
  ]);
  for (const row of rows) expect(row).toMatchObject({ ours: expect.any(Number), unit: 'ms' });
  if (referenceDirectory !== undefined)
    expect(rows[0]).toMatchObject({
      peerName: 'bridge + host-local + portmap',
      ratio: rows[0].ours / rows[0].peer,
    });
  expect(left(directory)).toEqual({ namespaces: [], directories: [], agents: [] });
});
