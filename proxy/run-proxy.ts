// Puts a running proxy together from its options: source, node, families, servers and metrics. Stopping it leaves the rules as they are.
import { openConntrack } from '../kernel/conntrack/driver.ts';
import { mountedAt } from '../kernel/mounted-at.ts';
import type { Netns } from '../kernel/netns.ts';
import type { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import { Poller } from '../kernel/poller.ts';
import type { Family } from '../net/address.ts';
import { type Clock, realClock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import { openServiceSource } from '../store/open-service-source.ts';
import type { ServiceSource } from '../store/service-source.ts';
import type { SourceStatus } from '../store/source-status.ts';
import { isTcpLiberal, openSysctlAccess } from './conntrack-sysctls.ts';
import { createFamilyProxy, type FamilyProxy } from './family-proxy.ts';
import { followServices } from './follow-services.ts';
import { createHealthCheckKeeper } from './health-check-keeper.ts';
import { createHealthCheckServers } from './health-check-servers.ts';
import { createProxyHealth, healthTimeout } from './healthz.ts';
import { createLeftoverRemover } from './leftover-remover.ts';
import { removeLeftovers } from './leftovers/remove-leftovers.ts';
import { watchNode } from './node-watch.ts';
import { openFamilies } from './open-families.ts';
import { createModeOpener, type ModeOpener, type ModeOpenerOptions } from './open-mode.ts';
import { prepareProcess } from './prepare-process.ts';
import { createProxyObserver } from './proxy-observer.ts';
import type { ProxyOptions } from './proxy-options.ts';
import { proxyProblems } from './proxy-problems.ts';
import { openProxyServers, type ProxyServers, proxySocketPath } from './proxy-servers.ts';
import { type ProxyStatus, proxyStatus } from './proxy-status.ts';
import { ruleContextOf } from './rule-context-of.ts';

export interface RunProxyOptions {
  readonly log: Log;
  /** The namespace that it works in; the process's own if absent. */
  readonly netns?: Netns | undefined;
  readonly clock?: Clock;
  /** Of somebody else in this process who changes the ruleset. */
  readonly beside?: SeenGeneration | undefined;
  /** Closed with the proxy. What the options name if absent. */
  readonly source?: ServiceSource;
  /** Whether load balancers should send this node anything; always if absent. */
  readonly nodeEligible?: () => boolean;
  /** Another way to the kernel, for tests. */
  readonly modes?: (options: ModeOpenerOptions) => ModeOpener;
}

export interface RunningProxy {
  readonly status: ProxyStatus;
  /** Ends source, servers and loops. The rules stay. */
  stop(): Promise<void>;
}

/** Starts everything. Rejects when a socket cannot be had or the kernel refuses. */
export async function startProxy(options: ProxyOptions, run: RunProxyOptions): Promise<RunningProxy> {
  const { netns, clock = realClock } = run;
  const log = run.log.component('proxy');
  // Closed in reverse order: here when the start fails, else by `stop`.
  await using opened = new AsyncDisposableStack();
  const families: FamilyProxy[] = [];

  const access = openSysctlAccess(netns);
  prepareProcess(options, { access, log });
  const liberal = isTcpLiberal(access);
  const poller = new Poller();
  opened.defer(() => poller.close());
  const conntrack = openConntrack({ netns });
  opened.defer(() => conntrack.close());
  let sourceStatus: SourceStatus | undefined;
  const source =
    run.source ??
    (await openServiceSource(options.services, {
      mountType: (path) => mountedAt(path)?.type,
      onStatus(now, note) {
        sourceStatus = now;
        if (note !== undefined) log.info(now, note);
      },
    }));
  opened.defer(() => source.close());
  const nodeEligible = run.nodeEligible ?? (() => source.node?.state.isEligible ?? true);

  const health = createProxyHealth({ clock, timeout: healthTimeout(options), nodeEligible });
  const healthServers = createHealthCheckServers({ netns, isHealthy: health.isHealthy, log });
  opened.defer(() => healthServers.close());
  const keepHealthChecks = createHealthCheckKeeper(healthServers, () =>
    families.map(({ tracker, loop }) => ({ tracker, context: loop.state.context })),
  );
  const leftovers = createLeftoverRemover({
    remove: (signal) =>
      removeLeftovers({
        keep: options.mode,
        netns,
        families: options.families,
        excludePrefixes: options.ipvs.excludePrefixes,
        signal,
      }),
    clock,
    log,
    onFailure: () => options.families.forEach(observer.cleanupFailed),
  });
  opened.defer(() => leftovers.stop());

  const observer = createProxyObserver({
    options,
    clock,
    health,
    families,
    problems: () => problems().length,
    onSynced() {
      keepHealthChecks();
      if (families.every(({ loop }) => loop.state.synced)) leftovers.removeOnce();
    },
  });
  const node = watchNode({
    netns,
    poller,
    clock,
    onRead() {
      for (const { family, loop } of families) loop.setContext(contextOf(family));
      keepHealthChecks();
    },
    onError: (err) => log.error({ err }, "cannot read the node's addresses"),
  });
  opened.defer(() => node.close());
  const contextOf = (family: Family) =>
    ruleContextOf(
      { ...options, localDetectors: localDetectors(options, source) },
      { family, state: node.state, isTcpLiberal: liberal },
    );

  const modes = (run.modes ?? createModeOpener)({ options, netns, poller, beside: run.beside });
  opened.defer(() => modes.close());
  const unopened = await openFamilies(options.families, {
    log,
    async open(family) {
      const mode = await modes.open(family);
      const one = createFamilyProxy({
        family,
        options,
        opened: mode,
        conntrack,
        context: contextOf(family),
        clock,
        log,
        listener: observer.listener,
        onCleaned: (seconds, deleted) => observer.cleaned(family, seconds, deleted),
      });
      families.push(one);
      opened.defer(() => one.stop());
    },
  });

  const abort = new AbortController();
  let servers: ProxyServers | undefined;
  let following: ReturnType<typeof followServices> | undefined;
  const problems = (): readonly StoreProblem[] =>
    proxyProblems({
      families: unopened,
      servers: servers?.problems ?? [],
      flows: families.flatMap(({ flows }) => flows.problem ?? []),
      leftovers: leftovers.problem,
      healthChecks: healthServers.problems,
      services: [...(following?.problems ?? []), ...families.flatMap(({ tracker }) => tracker.problems)],
    });
  const status = (): ProxyStatus =>
    proxyStatus({
      node: options.nodeName,
      mode: options.mode,
      families: families.map(({ loop, tracker }) => ({ ...loop.state, counts: tracker.counts })),
      healthChecks: healthServers.status,
      problems: problems(),
      source: sourceStatus,
    });
  servers = await openProxyServers({
    options,
    netns,
    clock,
    log: run.log,
    metrics: observer.metrics,
    health,
    onHealthAnswer: observer.healthAnswer,
    status,
  });
  opened.defer(servers.close);

  for (const { loop } of families) loop.start();
  source.node?.listen(({ zone, isEligible }) => {
    log.info({ zone, isEligible }, 'the node as the store has it');
    for (const { family, loop } of families) {
      if (options.zone === undefined) loop.setZone(zone);
      if (options.detectsByNode === true) loop.setContext(contextOf(family));
    }
  });
  following = followServices({
    source,
    clock,
    log,
    signal: abort.signal,
    onBatch(batch) {
      for (const { loop } of families) loop.take(batch);
      // Afterwards: the change is on its way.
      observer.batch(batch);
    },
  });
  const { ended } = following;
  opened.defer(async () => {
    abort.abort(new Error('The proxy stops'));
    await ended;
  });
  const closing = opened.move();
  return {
    get status() {
      return status();
    },
    stop: () => closing.disposeAsync(),
  };
}

function localDetectors(
  { localDetectors: told, detectsByNode = false }: ProxyOptions,
  { node }: ServiceSource,
): ProxyOptions['localDetectors'] {
  if (!detectsByNode) return told;
  const of = (family: Family) => {
    const prefix = node?.state.podNetworks.find((one) => one.family === family);
    return prefix === undefined ? ({ kind: 'none' } as const) : ({ kind: 'prefix', prefix } as const);
  };
  return { 4: of(4), 6: of(6) };
}

/** Runs until the signal aborts. Rejects when it cannot start. */
export async function runProxy(
  options: ProxyOptions,
  run: RunProxyOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { signal, log } = run;
  const running = await startProxy(options, run);
  const { mode, services, runDirectory } = options;
  const from = services.kind === 'directory' ? services.directory : services.kind;
  log.component('proxy').info({ mode, services: from, socket: proxySocketPath(runDirectory) }, 'started');
  try {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await running.stop();
  }
}
