// `netloom cleanup` on a node of a lab: what the agent made goes, what was there before it stays, and the others notice.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { refuseRoot } from '../sandbox.ts';
import { netloom, netloomOk } from './netloom-command.ts';

const lab = 'clean';
let settings: readonly string[];
let pid: number;

/** Runs `netloom cleanup` in the first node, with its agent's settings. */
const cleanup = (...flags: readonly string[]) =>
  netloom('lab', 'exec', '--name', lab, 'n1', '--', 'scripts/netloom', 'cleanup', ...settings, ...flags);

async function inNode(...command: readonly string[]): Promise<string> {
  return (await execute(['ip', 'netns', 'exec', `netloom-${lab}-n1`, ...command])).stdout;
}

async function nodeState(): Promise<string> {
  return [
    await inNode('ip', '-br', 'link'),
    await inNode('ip', '-4', 'route'),
    await inNode('nft', 'list', 'tables'),
  ].join('');
}

beforeAll(async () => {
  refuseRoot();
  await netloomOk('lab', 'up', '--name', lab, '--nodes', '2', '--pods-per-node', '0');
  const state: { processes: { name: string; pid: number }[] } = JSON.parse(
    readFileSync(`/run/netloom-lab/${lab}/lab.json`, 'utf8'),
  );
  pid = state.processes.find(({ name }) => name === 'agent n1')?.pid ?? 0;
  settings = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .filter((argument) => argument.startsWith('--') && !argument.startsWith('--max-'));
}, 60_000);

afterAll(() => netloom('lab', 'down', '--name', lab));

test('it refuses while the agent runs', async () => {
  const { exitCode, stderr } = await cleanup();
  expect(exitCode).toBe(1);
  expect(stderr).toContain('stop it first');
});

test('a dry run says what would go, and changes nothing', async () => {
  process.kill(pid, 'SIGKILL');
  await sleep(50);
  const before = await nodeState();
  const { exitCode, stdout } = await cleanup('--dry-run');
  expect(exitCode).toBe(0);
  for (const words of [
    'would remove',
    'flannel.1',
    'cni0',
    'table inet netloom',
    'table ip netloom-proxy',
    'subnet.env',
  ]) {
    expect(stdout).toContain(words);
  }
  expect(await nodeState()).toBe(before);
});

test('it removes what the agent made and leaves the rest', async () => {
  const { exitCode, stderr } = await cleanup();
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const links = (await inNode('ip', '-br', 'link'))
    .trim()
    .split('\n')
    .map((line) => line.split(/[ @]/)[0]);
  expect(links.sort()).toEqual(['eth0', 'lo']);
  expect(await inNode('ip', '-4', 'route')).toBe(
    'default via 192.0.2.1 dev eth0 proto static \n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.11 \n',
  );
  expect(await inNode('nft', 'list', 'tables')).toBe('');
});

test('the other node lets it go', async () => {
  for (let i = 0; i < 100; i++) {
    const { stdout } = await netloom(
      'lab',
      'exec',
      '--name',
      lab,
      'n2',
      '--',
      'ip',
      'route',
      'show',
      'proto',
      '78',
    );
    if (stdout === '') return;
    await sleep(50);
  }
  throw new Error('n2 still has a route to n1’s pods');
});

test('a second time there is nothing to do', async () => {
  const { exitCode, stdout, stderr } = await cleanup();
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: 'Nothing of Netloom is on this node\n',
    stderr: '',
  });
});
