// One family of a running proxy: its tracker, its mode, its loop and the cleaner of its stale flows, tied together. Where batches and
// the node's addresses come from is run-proxy.ts's.
import type { Conntrack } from '../kernel/conntrack/driver.ts';
import type { Family } from '../net/address.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { IptablesRules } from './iptables/rule-counts.ts';
import type { PortTraffic } from './metrics-service-traffic.ts';
import type { OpenedMode } from './open-mode.ts';
import { createFamilyLoop, type FamilyLoop, type LoopListener } from './proxy-loop.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { RuleContext } from './rule-context.ts';
import { createServiceTracker, type ServiceTracker } from './service-tracker.ts';
import { createStaleFlowCleaner, type StaleFlowCleaner } from './stale-flow-cleaner.ts';
import { portTraffic, readTrafficOften } from './traffic-counts.ts';

export interface FamilyProxy {
  readonly family: Family;
  readonly tracker: ServiceTracker;
  readonly loop: FamilyLoop;
  readonly flows: StaleFlowCleaner;
  /** As it was last counted; nothing where the mode does not count. */
  traffic(): Iterable<PortTraffic>;
  /** Undefined where the mode has no rules to count, or none yet. */
  rules(): IptablesRules | undefined;
  /** Stops the loop and what comes after it, and lets the mode go. The rules stay. */
  stop(): Promise<void>;
}

export interface FamilyProxyOptions {
  readonly family: Family;
  readonly options: ProxyOptions;
  readonly opened: OpenedMode;
  readonly conntrack: Pick<Conntrack, 'list' | 'deleteFlows'>;
  readonly context: RuleContext;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  readonly listener: LoopListener;
  readonly onCleaned: (seconds: number, deleted: number) => void;
}

export function createFamilyProxy(input: FamilyProxyOptions): FamilyProxy {
  const { family, options, opened, clock, log, listener } = input;
  const { nodeName, zone, proxyName, allowUnsafeEndpoints } = options;
  const tracker = createServiceTracker({ family, nodeName, zone, proxyName, allowUnsafeEndpoints });
  const flows: StaleFlowCleaner = createStaleFlowCleaner({
    family,
    conntrack: input.conntrack,
    clock,
    log,
    state: () => ({
      ports: tracker.ports,
      serving: tracker.servingAddresses,
      context: loop.state.context,
    }),
    onCleaned: input.onCleaned,
  });
  const loop: FamilyLoop = createFamilyLoop({
    family,
    tracker,
    mode: opened.mode,
    context: input.context,
    minSyncPeriod: options.minSyncPeriod,
    syncPeriod: options.syncPeriod,
    clock,
    log,
    listener: {
      ...listener,
      synced(done) {
        listener.synced(done);
        flows.clean(done.udp);
      },
    },
  });
  const { mode, traffic } = opened;
  const stopReading = traffic === undefined ? undefined : readTrafficOften(traffic, { clock, log });
  return {
    family,
    tracker,
    loop,
    flows,
    traffic: () => (traffic === undefined ? [] : portTraffic(traffic.totals(), tracker.ports)),
    rules: () => opened.rules?.(),
    async stop() {
      await stopReading?.();
      await loop.stop();
      await flows.stop();
      mode.close();
    },
  };
}
