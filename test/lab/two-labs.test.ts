// Two labs at once: same addresses, same names inside, and neither notices the other.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { refuseRoot } from '../sandbox.ts';
import { checkLab, executable, leftovers, netloom, netloomOk } from './netloom-command.ts';

const small = ['--nodes', '2', '--pods-per-node', '1'] as const;

beforeAll(refuseRoot);

afterAll(async () => {
  for (const lab of ['left', 'right']) await netloom('lab', 'down', '--name', lab);
});

async function failures(lab: string) {
  const { checks } = await checkLab(lab);
  expect(checks.length).toBeGreaterThan(5);
  return checks.filter(({ ok }) => !ok);
}

test('they come up together, work together, and one goes without the other', async () => {
  await Promise.all([
    netloomOk('lab', 'up', '--name', 'left', ...small),
    netloomOk(
      'lab',
      'up',
      '--name',
      'right',
      ...small,
      '--backend',
      'host-gw',
      '--agent-flag=--masquerade=iptables',
    ),
  ]);
  expect(await Promise.all([failures('left'), failures('right')])).toEqual([[], []]);
  await netloomOk('lab', 'down', '--name', 'left');
  expect(await leftovers('left')).toEqual([]);
  expect(await failures('right')).toEqual([]);
});

test('the same lab twice at the same time: one makes it, the other says that it is there', async () => {
  const results = await Promise.all([1, 2].map(() => netloom('lab', 'up', '--name', 'left', ...small)));
  expect(results.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
  expect(results.map(({ stderr }) => stderr).join('')).toContain('There is a lab "left" already');
  expect(await failures('left')).toEqual([]);
});

test('--all removes every lab, and nothing else', async () => {
  // In a /run of its own: other tests have labs too.
  const script = `
    mount -t tmpfs -o mode=0755 netloom-test /run
    mkdir /run/netns /run/lock
    trap '"$0" lab down --all >&2' EXIT
    ip netns add netloom-bench-1-0
    ip netns add netloom-test-1-0
    for lab in first second; do "$0" lab up --name $lab --nodes 1 --pods-per-node 1 >&2; done
    "$0" lab down --all --json
    ls /run/netns
    ip netns delete netloom-bench-1-0
    ip netns delete netloom-test-1-0`;
  const { stdout } = await execute(
    ['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', script, executable],
    { timeout: 100_000 },
  );
  const [answer = '', ...namespaces] = stdout.trim().split('\n');
  const removed: readonly { lab: string }[] = JSON.parse(answer).removed;
  expect(removed.map(({ lab }) => lab)).toEqual(['first', 'second']);
  expect(namespaces).toEqual(['netloom-bench-1-0', 'netloom-test-1-0']);
  expect([...(await leftovers('first')), ...(await leftovers('second'))]).toEqual([]);
});
