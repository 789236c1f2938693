import { expect, test } from '@jest/globals';
import { createManualClock } from '../runtime/manual-clock.ts';
import type { ServiceBatch } from '../store/service-source.ts';
import { followServices } from './follow-services.ts';
import { sampleService } from './sample-services.ts';

const batch = (names: readonly string[], more: Partial<ServiceBatch> = {}): ServiceBatch => ({
  services: new Map(names.map((name) => [`ns/${name}`, sampleService({ name })])),
  slices: new Map(),
  problems: [],
  heardAt: 0,
  ...more,
});

test('a source that breaks is read anew, and what went away meanwhile is told as gone', async () => {
  const clock = createManualClock();
  const abort = new AbortController();
  const told: string[] = [];
  const said: string[] = [];
  const watches = [
    async function* () {
      yield batch(['a', 'b']);
      yield batch(['c'], {
        services: new Map([['ns/b', undefined]]),
        problems: [{ object: 'f', message: 'no' }],
      });
      throw new Error('Cannot read "/x": no');
    },
    async function* () {
      yield batch(['b']);
      await new Promise((resolve) => abort.signal.addEventListener('abort', resolve));
    },
  ];
  const following = followServices({
    source: { watch: () => watches.shift()?.() ?? (async function* () {})() },
    clock,
    signal: abort.signal,
    log: {
      info: (fields: object, message: string) => said.push(`info ${JSON.stringify(fields)} ${message}`),
      warn: (fields: object, message: string) => said.push(`warn ${JSON.stringify(fields)} ${message}`),
      error: (_: object, message: string) => said.push(`error ${message}`),
    } as never, // the log's overloads; only these forms are used
    onBatch: ({ services }) =>
      told.push(
        [...services].map(([key, service]) => `${service === undefined ? '-' : '+'}${key}`).join(' '),
      ),
  });
  await clock.advance(0);
  expect(told).toEqual(['+ns/a +ns/b', '-ns/b']);
  expect(following.problems).toEqual([
    { object: 'f', message: 'no' },
    { object: 'services', message: 'Cannot read "/x": no' },
  ]);
  await clock.advance(1000);
  expect(told.slice(2)).toEqual(['+ns/b -ns/a']);
  expect(following.problems).toEqual([]);
  expect(said).toEqual([
    'warn {"object":"f"} no',
    'error cannot follow the services',
    'info {"object":"f"} no problem any more',
  ]);
  abort.abort();
  await following.ended;
  expect(clock.timers).toBe(0);
});
