import { expect, test } from '@jest/globals';
import { Pulse } from './pulse.ts';

test('a beat wakes all who waited for it, and nobody who asks later', async () => {
  const pulse = new Pulse();
  const woken: string[] = [];
  const [first, second] = [pulse.next, pulse.next];
  const waits = [first.then(() => woken.push('first')), second.then(() => woken.push('second'))];
  expect(second).toBe(first);
  pulse.beat();
  const later = pulse.next;
  void later.then(() => woken.push('later'));
  await Promise.all(waits);
  expect(woken).toEqual(['first', 'second']);
  pulse.beat();
  await later;
  expect(woken).toEqual(['first', 'second', 'later']);
});

test('who waits for a beat hears an abort as well', async () => {
  const pulse = new Pulse();
  const abort = new AbortController();
  const [beaten, aborted] = [new AbortController().signal, abort.signal].map((signal) =>
    pulse.nextOrAbort(signal),
  );
  abort.abort();
  await aborted;
  await pulse.nextOrAbort(abort.signal);
  pulse.beat();
  await beaten;
});
