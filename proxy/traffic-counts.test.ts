import { expect, test } from '@jest/globals';
import { createManualClock } from '../runtime/manual-clock.ts';
import { samplePort } from './sample-services.ts';
import { portTraffic, readTrafficOften } from './traffic-counts.ts';

test('both directions, by the names of the port; ports that are gone are left out', () => {
  const port = samplePort({ service: 'dns', portName: 'dns', protocol: 'udp' });
  const counts = { packetsIn: 2n, bytesIn: 128n, packetsOut: 1n, bytesOut: 2n ** 40n };
  const totals = [
    { key: port.key, ...counts },
    { key: 'ns/gone/tcp', ...counts },
  ];
  const of = { namespace: 'ns', service: 'dns', port: 'dns', protocol: 'udp' };
  expect([...portTraffic(totals, new Map([[port.key, port]]))]).toEqual([
    { ...of, direction: 'in', packets: 2, bytes: 128 },
    { ...of, direction: 'out', packets: 1, bytes: 2 ** 40 },
  ]);
});

test('counts are read four times a minute, never two at once, and a failure is told once', async () => {
  const clock = createManualClock();
  const said: string[] = [];
  const state = { reads: 0, broken: false, gate: Promise.resolve() };
  const stop = readTrafficOften(
    {
      async read() {
        state.reads++;
        await state.gate;
        if (state.broken) throw new Error('Cannot read: no');
      },
      totals: () => [],
    },
    { clock, log: { warn: (_: object, message: string) => said.push(message) } as never }, // one form of the log's overloads
  );
  await clock.advance(60_000);
  expect(state.reads).toBe(4);
  const { promise, resolve } = Promise.withResolvers<void>();
  state.gate = promise;
  await clock.advance(120_000);
  expect(state.reads).toBe(5);
  resolve();
  state.broken = true;
  await clock.advance(31_000);
  expect([state.reads, said]).toEqual([7, ['cannot read the counts of services']]);
  await stop();
  await clock.advance(60_000);
  expect([state.reads, clock.timers]).toEqual([7, 0]);
});
