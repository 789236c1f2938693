// Deletes stale UDP flows after syncs that changed a UDP service, beside the loop and never in its way. Which flows are stale is
// stale-flows.ts's.
import { setImmediate } from 'node:timers/promises';
import type { Conntrack } from '../kernel/conntrack/driver.ts';
import { type Flow, type FlowFilter, flowProtocols } from '../kernel/conntrack/objects.ts';
import type { Family } from '../net/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import { createRunner } from '../runtime/runner.ts';
import type { RuleContext } from './rule-context.ts';
import type { ServicePort } from './service-port.ts';
import { addressesOf, type ServingAddresses, staleFlows, udpServices } from './stale-flows.ts';

/** Least milliseconds between two walks through the kernel's table. */
const minInterval = 1000;
const backoff = { min: 1000, max: 30_000 } as const;
/** So many filtered lists at most, each a walk without much decoding; beyond that all UDP flows are listed once. */
const mostFilters = 8;
/** Flows that are judged and deleted before others get their turn. */
const slice = 2000;

export interface StaleFlowCleanerOptions {
  readonly family: Family;
  readonly conntrack: Pick<Conntrack, 'list' | 'deleteFlows'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** The state that is programmed. */
  readonly state: () => {
    readonly ports: ReadonlyMap<string, ServicePort>;
    readonly serving: (key: string) => ServingAddresses;
    readonly context: RuleContext;
  };
  readonly onCleaned?: (seconds: number, deleted: number) => void;
}

export interface StaleFlowCleaner {
  /** Looks for stale flows of these ports, or of all, as soon as may be. Others than UDP, and those that are gone, are passed over. */
  clean(keys: ReadonlySet<string> | 'all'): void;
  /** Why the last try failed; undefined when it did not. */
  readonly problem: string | undefined;
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export function createStaleFlowCleaner(options: StaleFlowCleanerOptions): StaleFlowCleaner {
  const { family, conntrack, clock, log, state, onCleaned } = options;
  let waiting: Set<string> | 'all' = new Set();
  let problem: string | undefined;

  const runner = createRunner({
    name: `stale flows of IPv${family}`,
    minInterval,
    maxInterval: Number.POSITIVE_INFINITY,
    backoff,
    clock,
    run: pass,
    onResult({ result }) {
      if (result.kind === 'success') problem = undefined;
      if (result.kind !== 'failure') return;
      const message = [...result.failed.values()].map(errorMessage).join('; ');
      if (message !== problem) log.warn({ family }, `Cannot clean stale UDP flows: ${message}`);
      problem = message;
    },
  });
  runner.start();

  async function pass(_: readonly string[], signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const keys = waiting;
    waiting = new Set();
    try {
      const deleted = await cleanNow(keys, signal);
      if (deleted > 0) log.info({ family, flows: deleted }, 'deleted stale UDP flows');
      onCleaned?.((performance.now() - startedAt) / 1000, deleted);
    } catch (error) {
      waiting = merged(keys, waiting);
      throw error;
    }
  }

  async function cleanNow(keys: ReadonlySet<string> | 'all', signal: AbortSignal): Promise<number> {
    const { ports, serving, context } = state();
    const concerned = keys === 'all' ? [...ports.values()] : [...keys].flatMap((key) => ports.get(key) ?? []);
    const services = udpServices(concerned, serving);
    const { byAddress, byNodePort } = services;
    if (byAddress.size + byNodePort.size === 0) return 0;
    const stale: Flow[] = [];
    for (const filter of filters(concerned)) {
      const flows = conntrack.list({ family, protocol: flowProtocols.udp, ...filter });
      for (let at = 0; at < flows.length; at += slice) {
        stale.push(...staleFlows(flows.slice(at, at + slice), services, context));
        if (flows.length > slice) await setImmediate();
        signal.throwIfAborted();
      }
    }
    let deleted = 0;
    for (let at = 0; at < stale.length; at += slice) {
      deleted += conntrack.deleteFlows(stale.slice(at, at + slice));
      if (stale.length > slice) await setImmediate();
      signal.throwIfAborted();
    }
    return deleted;
  }

  return {
    clean(keys) {
      if (keys !== 'all' && keys.size === 0) return;
      waiting = merged(waiting, keys);
      runner.trigger('sync');
    },
    get problem() {
      return problem;
    },
    settled: () => runner.settled(),
    stop: () => runner.stop(),
  };
}

/** What to ask the kernel for, so that few flows have to be looked at here. */
function filters(ports: readonly ServicePort[]): readonly FlowFilter[] {
  const one: FlowFilter[] = [];
  for (const port of ports) {
    if (port.protocol !== 'udp') continue;
    for (const destination of addressesOf(port))
      one.push({ original: { destination, destinationPort: port.port } });
    if (port.nodePort !== undefined) one.push({ original: { destinationPort: port.nodePort } });
    if (one.length > mostFilters) return [{}];
  }
  return one;
}

function merged(one: ReadonlySet<string> | 'all', other: ReadonlySet<string> | 'all'): Set<string> | 'all' {
  return one === 'all' || other === 'all' ? 'all' : new Set([...one, ...other]);
}
