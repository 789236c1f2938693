// Puts a running proxy together from its options: source, node, families, servers and metrics. Stopping it leaves the rules as they are.
import { openConntrack } from '../kernel/conntrack/driver.ts';
import { mountedAt } from '../kernel/mounted-at.ts';
import type { Netns } from '../kernel/netns.ts';
import type { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import { Poller } from '../kernel/poller.ts';
import type { Family } from '../net/address.ts';
import { type Clock, realClock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { type FollowStatus, followingNote, followStatus } from '../store/directory/following.ts';
import { createServiceDirectory } from '../store/directory/service-directory.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import type { ServiceSource } from '../store/service-source.ts';
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
  /** Closed with the proxy. The service directory of the options if absent. */
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
  const { netns, clock = realClock, nodeEligible = () => true } = run;
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
  let followed: FollowStatus | undefined;
  const directory = options.serviceDirectory;
  const source =
    run.source ??
    createServiceDirectory({
      directory,
      ...options.serviceWatch,
      mountType: (path) => mountedAt(path)?.type,
      onFollow(following) {
        followed = followStatus(directory, following);
        const note = followingNote(directory, following);
        if (note !== undefined) log.info(followed, note);
      },
    });
  opened.defer(() => source.close());

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
    ruleContextOf(options, { family, state: node.state, isTcpLiberal: liberal });

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
      source: followed,
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

/** Runs until the signal aborts. Rejects when it cannot start. */
export async function runProxy(
  options: ProxyOptions,
  run: RunProxyOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { signal, log } = run;
  const running = await startProxy(options, run);
  const { mode, serviceDirectory, runDirectory } = options;
  log.component('proxy').info({ mode, serviceDirectory, socket: proxySocketPath(runDirectory) }, 'started');
  try {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await running.stop();
  }
}
