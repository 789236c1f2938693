import { expect, test } from '@jest/globals';
import { createManualClock } from '../runtime/manual-clock.ts';
import { createLeftoverRemover } from './leftover-remover.ts';
import type { Leftovers } from './leftovers/remove-leftovers.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('once; again only after a failure', async () => {
  const clock = createManualClock();
  const answers: (Leftovers | Error)[] = [
    new Error('Cannot: no'),
    { removed: [], left: ['ipset KUBE-X: busy'] },
    { removed: ['table ip kube-proxy'], left: [] },
  ];
  let asked = 0;
  let failures = 0;
  const said: unknown[] = [];
  const remover = createLeftoverRemover({
    async remove() {
      asked++;
      const answer = answers.shift() ?? { removed: [], left: [] };
      if (answer instanceof Error) throw answer;
      return answer;
    },
    clock,
    log: { info: (fields: unknown) => said.push(fields), warn: () => {} } as never, // one form of the log's overloads
    onFailure: () => failures++,
  });
  remover.removeOnce();
  remover.removeOnce();
  await settle();
  expect([asked, failures, remover.problem]).toEqual([1, 1, 'Cannot: no']);
  remover.removeOnce();
  await settle();
  expect(asked).toBe(1);
  await clock.advance(60_000);
  await settle();
  expect([asked, failures, remover.problem]).toEqual([2, 2, 'ipset KUBE-X: busy']);
  await clock.advance(60_000);
  await settle();
  remover.removeOnce();
  await settle();
  expect([asked, remover.problem, said]).toEqual([3, undefined, [{ removed: ['table ip kube-proxy'] }]]);
  await remover.stop();
});

test('stopping ends it, and is no failure', async () => {
  let failures = 0;
  const remover = createLeftoverRemover({
    remove: (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    clock: createManualClock(),
    log: { info: () => {}, warn: () => {} },
    onFailure: () => failures++,
  });
  remover.removeOnce();
  await remover.stop();
  remover.removeOnce();
  expect([failures, remover.problem]).toEqual([0, undefined]);
});
