// `lab up` is ended at any moment: by SIGKILL, and "down" finds all that it made; by Ctrl-C, and it removes all itself.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { refuseRoot } from '../sandbox.ts';
import { checkLab, interruptedUp, leftovers, netloom, netloomOk } from './netloom-command.ts';

const lab = 'crash';

beforeAll(refuseRoot);
afterAll(() => netloom('lab', 'down', '--name', lab));

// From before the first namespace to after the last pod, whatever the machine's speed; random within each part.
const moments = [100, 300, 500, 800, 1200, 1800].map((from) => Math.round(from + Math.random() * from * 0.5));

test.each(moments)('killed after %i ms, "down" leaves nothing', async (after) => {
  await interruptedUp(lab, { after, signal: 'SIGKILL' });
  await netloomOk('lab', 'down', '--name', lab);
  expect(await leftovers(lab)).toEqual([]);
});

test.each([300, 900])('interrupted after %i ms, it removes what it made and fails', async (after) => {
  expect(await interruptedUp(lab, { after, signal: 'SIGINT' })).toBe(1);
  expect(await leftovers(lab)).toEqual([]);
});

test('what a kill left is not taken for a lab', async () => {
  let state = '';
  for (let after = 200; !state.includes('starting') && after < 3000; after += 100) {
    await netloomOk('lab', 'down', '--name', lab);
    await interruptedUp(lab, { after, signal: 'SIGKILL' });
    state = (await netloom('lab', 'status', '--name', lab, '--json')).stdout;
  }
  expect(JSON.parse(state).phase).toBe('starting');
  const { exitCode, stderr } = await netloom('lab', 'check', '--name', lab);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`Lab "${lab}" is not complete`);
});

test('what was left by a kill is no obstacle to the next lab with --replace', async () => {
  await interruptedUp(lab, { after: 900, signal: 'SIGKILL' });
  await netloomOk('lab', 'up', '--name', lab, '--nodes', '2', '--pods-per-node', '1', '--replace');
  expect((await checkLab(lab)).checks.filter(({ ok }) => !ok)).toEqual([]);
});
