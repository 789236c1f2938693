import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { createLog } from './log.ts';
import { createManualClock } from './manual-clock.ts';
import { createShutdown, type ShutdownSignal } from './shutdown.ts';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

function bench() {
  const clock = createManualClock();
  const process = new FakeProcess();
  const lines: string[] = [];
  const log = createLog({
    destination: {
      write(line) {
        const { level, msg, closer, reason, closers, err } = JSON.parse(line);
        lines.push(
          [level, msg, closer ?? reason, closers?.join(' '), err?.message].filter(Boolean).join(' | '),
        );
      },
    },
  });
  const shutdown = createShutdown({ process, log: log.root, clock, timeLimit: 1000 });
  return { clock, process, lines, shutdown };
}

describe('createShutdown', () => {
  test.each<ShutdownSignal>(['SIGTERM', 'SIGINT'])(
    '%s closes in reverse order, one after the other, and exits 0',
    async (name) => {
      const { clock, process, lines, shutdown } = bench();
      const events: string[] = [];
      shutdown.add('log', () => void events.push('log'));
      shutdown.add('store', async () => {
        events.push('store begins');
        await new Promise<void>((resolve) => void clock.setTimer(500, resolve));
        events.push('store ends');
      });
      shutdown.add('http', () => void events.push('http'));
      expect(shutdown.signal.aborted).toBe(false);
      process.emit(name);
      expect(shutdown.signal.aborted).toBe(true);
      await clock.advance(500);
      expect(events).toEqual(['http', 'store begins', 'store ends', 'log']);
      expect(process.exits).toEqual([0]);
      expect(lines).toEqual([
        `info | shutting down | ${name} | http store log`,
        'info | closed | http',
        'info | closed | store',
        'info | closed | log',
      ]);
      expect(clock.timers).toBe(0);
    },
  );

  test('one that fails or takes too long does not keep the others open, and the code is 1', async () => {
    const { clock, process, lines, shutdown } = bench();
    let told: unknown;
    shutdown.add('last', () => {});
    shutdown.add('throws', () => {
      throw new Error('socket in use');
    });
    shutdown.add(
      'hangs',
      (signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            told = signal.reason;
          });
        }),
      { timeLimit: 200 },
    );
    process.emit('SIGTERM');
    await clock.advance(199);
    expect(process.exits).toEqual([]);
    await clock.advance(1);
    expect(process.exits).toEqual([1]);
    expect(String(told)).toBe('Error: Cannot close "hangs": it is not done after 200 ms');
    expect(lines.slice(1)).toEqual([
      'error | not closed | hangs | Cannot close "hangs": it is not done after 200 ms',
      'error | not closed | throws | socket in use',
      'info | closed | last',
    ]);
  });

  test('a second signal exits with 1 at once', async () => {
    const { clock, process, shutdown } = bench();
    shutdown.add('slow', () => new Promise<void>((resolve) => void clock.setTimer(900, resolve)));
    process.emit('SIGTERM');
    process.emit('SIGINT');
    expect(process.exits).toEqual([1]);
  });

  test('a signal joins a shutdown that the program began, and everything is closed once', async () => {
    const { clock, process, shutdown } = bench();
    let closed = 0;
    shutdown.add('slow', async () => {
      closed++;
      await new Promise<void>((resolve) => void clock.setTimer(900, resolve));
    });
    const code = shutdown.begin('lost the lease');
    process.emit('SIGTERM');
    expect(process.exits).toEqual([]);
    await clock.advance(900);
    expect([await code, await shutdown.begin('again'), process.exits, closed]).toEqual([0, 0, [0], 1]);
    expect(String(shutdown.signal.reason)).toBe('Error: Shutting down: lost the lease');
  });

  test('what was taken off is not closed, what is added meanwhile is', async () => {
    const { clock, process, shutdown } = bench();
    const closed: string[] = [];
    const remove = shutdown.add('gone', () => void closed.push('gone'));
    shutdown.add('first', () => {
      closed.push('first');
      shutdown.add('late', () => void closed.push('late'));
    });
    remove();
    remove();
    process.emit('SIGTERM');
    await clock.advance(0);
    expect([closed, process.exits]).toEqual([['first', 'late'], [0]]);
  });
});
