// Puts a running agent together from settings: store, kernel, loop, metrics and the servers on its unix socket and, if asked
// for, on TCP. Stopping it leaves the data path as it is.
import { join } from 'node:path';
import { mountedAt } from '../kernel/mounted-at.ts';
import type { Netns } from '../kernel/netns.ts';
import { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import { type Clock, realClock } from '../runtime/clock.ts';
import { type Check, createHttpServer, type HttpServer, type HttpServerOptions } from '../runtime/http.ts';
import type { Log } from '../runtime/log.ts';
import type { LeaseSubnets } from '../store/lease-key.ts';
import type { LeaseStore } from '../store/lease-store.ts';
import { openLeaseStore } from '../store/open-lease-store.ts';
import type { SourceStatus } from '../store/source-status.ts';
import { leaseStoreChoice } from '../store/store-settings.ts';
import { type Agent, createAgent } from './agent.ts';
import type { TunnelState } from './carrier/carrier.ts';
import type { ExtensionProgramOptions } from './carrier/extension-program.ts';
import { openCarrier } from './carrier/open-carrier.ts';
import { type UdpCounters, udpTraffic } from './carrier/udp/udp-counters.ts';
import { addUdpMetrics } from './carrier/udp/udp-metrics.ts';
import { addCniRoute, type CniHandler } from './cni-route.ts';
import type { NodeChoices } from './desired-state.ts';
import { createMacKeeper } from './device-macs.ts';
import { createFlannelRules } from './flannel/flannel-rules.ts';
import { createLeaseHolder } from './lease-holder.ts';
import { type MadeRecord, openMadeRecord } from './made-record.ts';
import { type AgentMetrics, createAgentMetrics } from './metrics.ts';
import { readFileIfThere } from './node-files.ts';
import { type NodeKernel, openNode } from './open-node.ts';
import { createPodList, type Pod } from './pod-list.ts';
import { createPodRulesKeeper } from './pod-rules-keeper.ts';
import type { AgentSettings } from './settings.ts';
import { agentStatus, isReady, nodeReport } from './status.ts';
import type { UnderlaySettings } from './underlay.ts';
import { AttachmentRecords } from './wiring/attachment-record.ts';
import type { PodFirewall } from './wiring/pod-firewall.ts';
import { openPodFirewall } from './wiring/rules/open-pod-firewall.ts';
import { parseSubnetEnv } from './wiring/subnet-env.ts';

export interface RunAgentOptions {
  readonly log: Log;
  /** The namespace that it works in; the process's own if absent. */
  readonly netns?: Netns | undefined;
  readonly clock?: Clock;
  /** Of others in this process who change nftables in the namespace: what they change is no foreign change. */
  readonly beside?: SeenGeneration;
  /** Makes what answers POST /cni; without it there is no such route. */
  readonly cni?: (agent: Agent, firewall: PodFirewall) => CniHandler;
  /** Files beside subnet.env that are kept as they are: the CNI configuration. Path -> text. */
  readonly files?: ReadonlyMap<string, string>;
}

export interface RunningAgent {
  readonly agent: Agent;
  readonly metrics: AgentMetrics;
  /** Where /healthz, /readyz and /metrics are served over TCP. */
  readonly listening: { readonly host: string; readonly port: number } | undefined;
  /** Ends the servers and the loop, in this order. */
  stop(): Promise<void>;
}

/** The agent's socket below its run directory. */
export function agentSocketPath(runDirectory: string): string {
  return join(runDirectory, 'netloom.sock');
}

/** Starts everything. Rejects when a socket cannot be had or the kernel refuses. */
export async function startAgent(settings: AgentSettings, options: RunAgentOptions): Promise<RunningAgent> {
  const { log, netns, clock = realClock } = options;
  let status: SourceStatus | undefined;
  const store = await openLeaseStore(leaseStoreChoice(settings), {
    mountType: (path) => mountedAt(path)?.type,
    onStatus(now, note) {
      status = now;
      if (note !== undefined) log.component('store').info(now, note);
    },
  });
  const made = openMadeRecord(settings.stateDirectory);
  const beside = options.beside ?? new SeenGeneration();
  const kernel = openNode({ netns, masquerade: settings.masquerade, made, beside });
  const metrics = createAgentMetrics(clock.now);
  const podFirewall = openPodFirewall({ netns, beside });
  const pods = createPodList(settings.ipamDirectory);
  const { carrier, wireguardKey, extension, udpCounters } = openCarrier({
    extension: extensionOptions(settings, netns),
    stateDirectory: settings.stateDirectory,
    kernel,
    now: clock.now,
  });
  addUdpMetrics(metrics.registry, udpCounters);
  const agent = createAgent({
    pods,
    carrier,
    wireguardKey,
    extension,
    flannelRules: createFlannelRules({ netns }),
    podRules: createPodRulesKeeper({
      records: new AttachmentRecords(settings),
      firewall: podFirewall,
    }),
    ...loopOptions(settings, { kernel, store, clock, made, log, files: options.files ?? new Map() }),
    log: log.component('agent'),
    onPass(state) {
      metrics.observe(state);
      store.report?.(nodeReport(state));
    },
  });
  const cni = options.cni?.(agent, podFirewall);
  const servers = openServers(agent, {
    settings,
    log,
    metrics,
    clock,
    pods,
    cni,
    udpCounters,
    store: () => status,
    tunnels: () => carrier.inspect?.() ?? new Map(),
  });
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
    await cni?.close();
    await agent.stop();
    await carrier.close();
    podFirewall.close();
    await store.close();
    await kernel.close();
  };
  try {
    const [unix, tcp] = servers;
    await unix?.listenUnix(agentSocketPath(settings.runDirectory));
    const { listen } = settings;
    const listening = listen === null ? undefined : await tcp?.listenTcp(listen);
    agent.start();
    return { agent, metrics, listening, stop: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs until the signal aborts. Rejects when it cannot start. */
export async function runAgent(
  settings: AgentSettings,
  options: RunAgentOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { signal, log } = options;
  const running = await startAgent(settings, options);
  log.component('agent').info(
    {
      socket: agentSocketPath(settings.runDirectory),
      listening: running.listening,
    },
    'started',
  );
  try {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await running.stop();
  }
}

interface LoopParts {
  readonly log: Log;
  readonly made: MadeRecord;
  readonly kernel: NodeKernel;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly files: ReadonlyMap<string, string>;
}

function loopOptions(settings: AgentSettings, { kernel, store, clock, made, files, log }: LoopParts) {
  const node = settings.nodeName;
  return {
    node,
    choices: nodeChoices(settings, files),
    backend: settings.backend,
    underlaySettings: underlaySettings(settings),
    store,
    route: kernel.route,
    firewall: kernel.firewall,
    sysctls: kernel.sysctls,
    watchKernel: kernel.watch,
    made,
    macs: createMacKeeper({ node, path: join(settings.stateDirectory, 'macs.json') }),
    holder: createLeaseHolder({
      store,
      node,
      clock,
      renewInterval: Math.min(settings.leaseRenewInterval, settings.leaseTtl / 3),
      previous: () => previousSubnets(settings.subnetFile),
      onNews: (news) => log.component('agent').warn(news),
    }),
    syncInterval: settings.syncInterval,
    clock,
  };
}

export function nodeChoices(settings: AgentSettings, files: ReadonlyMap<string, string>): NodeChoices {
  return {
    bridge: settings.bridge,
    subnetFile: settings.subnetFile,
    masquerade: settings.masquerade,
    masqueradeChoices: {
      exclude: settings.masqueradeExclude,
      randomFully: settings.masqueradeRandomFully,
      forward: settings.forwardRules,
    },
    files,
  };
}

/** Undefined when no program is named. */
export function extensionOptions(
  { extensionProgram: path, extensionArguments: args, extensionTimeout: timeout }: AgentSettings,
  netns: Netns | undefined,
): ExtensionProgramOptions | undefined {
  return path === '' ? undefined : { path, args, timeout, netns };
}

export function underlaySettings(settings: AgentSettings): UnderlaySettings {
  return {
    interfaces: settings.iface,
    patterns: settings.ifaceRegex,
    canReach: settings.ifaceCanReach,
    publicIp: settings.publicIp,
    publicIp6: settings.publicIpv6,
  };
}

/** What the node had before, by its subnet.env: pods may still have addresses of it. A spoilt file is no file. */
export function previousSubnets(path: string): LeaseSubnets | undefined {
  try {
    const text = readFileIfThere(path);
    if (text === undefined) return undefined;
    const { ip4, ip6 } = parseSubnetEnv(text);
    return { subnet: ip4?.gateway.network(), subnet6: ip6?.gateway.network() };
  } catch {
    return undefined;
  }
}

interface ServerParts {
  readonly settings: AgentSettings;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly cni: CniHandler | undefined;
  readonly tunnels: () => ReadonlyMap<string, TunnelState>;
  readonly pods: () => Promise<readonly Pod[]>;
  readonly store: () => SourceStatus | undefined;
  readonly udpCounters: UdpCounters;
}

/** The unix socket serves everything; TCP only what monitoring reads. */
function openServers(agent: Agent, parts: ServerParts): readonly [HttpServer, HttpServer] {
  const { settings, log, metrics, clock, cni } = parts;
  const common: HttpServerOptions = {
    log: log.component('http'),
    health: () => [loopCheck(agent, clock.now(), settings.syncInterval)],
    ready: () => {
      const { state } = agent;
      const detail = (state.pass?.blockers ?? ['the first pass is not done']).join('; ');
      return [{ name: 'node', ok: isReady(state), ...(detail === '' ? {} : { detail }) }];
    },
    metrics: metrics.registry,
  };
  const unix = createHttpServer({
    ...common,
    routes: (app) => {
      app.get('/status', async () => ({
        ...agentStatus(agent.state, parts.tunnels()),
        store: parts.store() ?? null,
        udp: udpTraffic(parts.udpCounters) ?? null,
        pods: await parts.pods(),
      }));
      if (cni !== undefined) addCniRoute(app, cni);
    },
  });
  return [unix, createHttpServer(common)];
}

/** The loop is alive when it came round lately. */
function loopCheck(agent: Agent, now: number, syncInterval: number): Check {
  const at = agent.state.lastPass?.startedAt;
  const age = at === undefined ? undefined : now - at;
  const ok = age === undefined || age < 3 * syncInterval + 30_000;
  return { name: 'loop', ok, ...(ok ? {} : { detail: `the last pass was ${Math.round(age / 1000)} s ago` }) };
}
