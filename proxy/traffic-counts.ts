// Packets and bytes by service port, as a mode counts them, read now and then and handed on by the names of the ports. What becomes
// series of their own is metrics-service-traffic.ts's.
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import type { PortTraffic } from './metrics-service-traffic.ts';
import type { ServicePort } from './service-port.ts';

/** Milliseconds between two readings: fresh enough for a scrape, and seldom enough for tens of thousands of counters. */
const readInterval = 15_000;

export interface PortTotals {
  /** Of the service port. */
  readonly key: string;
  /** From clients to the service. */
  readonly packetsIn: bigint;
  readonly bytesIn: bigint;
  /** Answers. */
  readonly packetsOut: bigint;
  readonly bytesOut: bigint;
}

export interface TrafficCounts {
  read(signal: AbortSignal): Promise<void>;
  /** As of the last reading. */
  totals(): Iterable<PortTotals>;
}

/** Both directions of each port that is there. */
export function* portTraffic(
  totals: Iterable<PortTotals>,
  ports: ReadonlyMap<string, ServicePort>,
): Generator<PortTraffic, void, void> {
  for (const { key, packetsIn, bytesIn, packetsOut, bytesOut } of totals) {
    const port = ports.get(key);
    if (port === undefined) continue;
    const { namespace, service, portName, protocol } = port;
    const of = { namespace, service, port: portName, protocol };
    yield { ...of, direction: 'in', packets: Number(packetsIn), bytes: Number(bytesIn) };
    yield { ...of, direction: 'out', packets: Number(packetsOut), bytes: Number(bytesOut) };
  }
}

/** Reads now and again until it is stopped, which waits for the reading under way. */
export function readTrafficOften(
  counts: TrafficCounts,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Logger, 'warn'> },
): () => Promise<void> {
  const abort = new AbortController();
  let cancelTimer = (): void => {};
  let reading: Promise<void> = Promise.resolve();
  let problem: string | undefined;

  async function read(): Promise<void> {
    try {
      await counts.read(abort.signal);
      problem = undefined;
    } catch (error) {
      if (abort.signal.aborted) return;
      const message = errorMessage(error);
      if (message !== problem) log.warn({ err: error }, 'cannot read the counts of services');
      problem = message;
    }
    if (!abort.signal.aborted) later();
  }

  function later(): void {
    cancelTimer = clock.setTimer(readInterval, () => {
      reading = read();
    });
  }

  later();
  return async () => {
    abort.abort(new Error('The proxy stops'));
    cancelTimer();
    await reading;
  };
}
