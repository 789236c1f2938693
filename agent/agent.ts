// The loop of the agent: passes over the node whenever the store or the kernel reports a change, and now and then without.
// What a pass does is node-pass.ts's; sockets, files and settings are put together in run-agent.ts.
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import { createRunner, type Runner, type RunOutcome, type RunReport } from '../runtime/runner.ts';
import type { LeaseSnapshot, LeaseStore, StoreProblem } from '../store/lease-store.ts';
import type { NodeRoutes } from './apply-routes.ts';
import type { WireguardPublicKey } from './backend/backend.ts';
import type { Carrier } from './carrier/carrier.ts';
import type { ExtensionVoice } from './carrier/extension-voice.ts';
import type { NodeChoices } from './desired-state.ts';
import type { MacKeeper } from './device-macs.ts';
import type { Firewall } from './firewall.ts';
import type { FlannelRules } from './flannel/flannel-rules.ts';
import type { LeaseHolder } from './lease-holder.ts';
import type { MadeRecord } from './made-record.ts';
import { differingFiles } from './node-files.ts';
import { type PassResult, runPass } from './node-pass.ts';
import { differingSysctls, type Sysctls } from './node-sysctls.ts';
import { createBackendChanger, type OwnBackend } from './own-backend.ts';
import { peerName } from './peer-name.ts';
import { createPeerTable } from './peer-table.ts';
import type { Pod } from './pod-list.ts';
import { strayPodLinks } from './pod-ports.ts';
import type { PodRulesKeeper } from './pod-rules-keeper.ts';
import { createRetiredDevices } from './retired-devices.ts';
import type { AgentState } from './status.ts';
import type { UnderlaySettings } from './underlay.ts';

/** Least milliseconds between two passes: a burst of notifications is one pass, and drift is still healed at once. */
const minInterval = 50;
/** How often sysctls, files and the generation of the firewall's ruleset are looked at: no message tells of them. */
const pollInterval = 250;
const backoff = { min: 250, max: 10_000 } as const;

/** What a notification of the kernel was about. */
export type KernelChange = 'kernel';

export interface AgentOptions {
  readonly node: string;
  readonly choices: NodeChoices;
  readonly underlaySettings: UnderlaySettings;
  readonly store: LeaseStore;
  /** In place of the network configuration's. */
  readonly backend?: OwnBackend | undefined;
  readonly route: NodeRoutes;
  readonly firewall: Firewall;
  readonly carrier: Carrier;
  readonly wireguardKey: WireguardPublicKey;
  readonly extension: ExtensionVoice;
  /** What flannel left beside ours; stays if absent. */
  readonly flannelRules?: FlannelRules | undefined;
  readonly podRules?: PodRulesKeeper | undefined;
  readonly sysctls: Sysctls;
  readonly macs: MacKeeper;
  readonly made: Pick<MadeRecord, 'noteFile' | 'noteSysctl'>;
  readonly holder: LeaseHolder;
  /** The node's pods, whose veths are kept on the bridge; none if absent. */
  readonly pods?: () => Promise<readonly Pod[]>;
  /** Begins to call back on changes in the kernel; returns how to stop. */
  readonly watchKernel: (onChange: (change: KernelChange) => void) => () => void;
  /** Milliseconds between thorough passes. */
  readonly syncInterval: number;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** After each pass. */
  readonly onPass?: (state: AgentState) => void;
}

export interface Agent {
  start(): void;
  /** Stops the loop. The data path stays as it is. */
  stop(): Promise<void>;
  /** A pass now, and what came of it. */
  runNow(reason?: string): Promise<RunReport>;
  readonly state: AgentState;
}

export function createAgent(options: AgentOptions): Agent {
  const { node, store, clock, log, holder } = options;
  const ports = {
    ...options,
    peerTable: createPeerTable(),
    retiredDevices: createRetiredDevices(clock.now),
  };
  const withOwnBackend = createBackendChanger(options.backend);
  const abort = new AbortController();
  const steps = new Map<string, number>();
  const repaired = new Map<string, number>();
  let snapshot: LeaseSnapshot | undefined;
  let pass: PassResult | undefined;
  let storeError: unknown;
  let lastPass: AgentState['lastPass'];
  let passes = 0;
  let stopWatching = (): void => {};
  /** Names of stray links at the last look, and those that a pass was started for. */
  let stray = '';
  let toldStray = '';
  let cancelPoll = (): void => {};
  let following: Promise<void> | undefined;

  const runner: Runner = createRunner({
    name: 'agent',
    run: onePass,
    minInterval,
    maxInterval: options.syncInterval,
    backoff,
    clock,
    onResult: afterPass,
  });

  async function onePass(reasons: readonly string[], signal: AbortSignal): Promise<RunOutcome> {
    const before = pass;
    const now = await runPass(ports, {
      node,
      choices: options.choices,
      underlaySettings: options.underlaySettings,
      snapshot,
      settled: before?.settled,
      thorough: reasons.some((reason) => reason !== 'kernel' && reason !== 'leases'),
      signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      return brokenPass(before, error);
    });
    pass = now;
    for (const [kind, count] of now.steps) steps.set(kind, (steps.get(kind) ?? 0) + count);
    for (const [kind, count] of now.repairs) repaired.set(kind, (repaired.get(kind) ?? 0) + count);
    report(log, before, now);
    return { failed: now.failed };
  }

  function afterPass(run: RunReport): void {
    passes++;
    const { startedAt, milliseconds, reasons } = run;
    lastPass = { startedAt, milliseconds, reasons };
    options.onPass?.(state());
  }

  /** Sysctls and files report nothing when they change, and a renewal falls due on its own. */
  function poll(): void {
    cancelPoll = clock.setTimer(pollInterval, () => {
      if (holder.renewAt <= clock.now()) runner.trigger('renewal');
      const desired = pass?.applied === true ? pass.desired : undefined;
      if (desired !== undefined) {
        if (options.firewall.changed() || options.podRules?.changed() === true) runner.trigger('firewall');
        if (options.carrier.changed()) runner.trigger('carrier');
        // Not at once: the link of a pod that is being made is astray for a moment.
        const names = strayPodLinks(options.route.read(false)).join(' ');
        if (names === '') toldStray = '';
        else if (names === stray && names !== toldStray) {
          toldStray = names;
          runner.trigger('kernel');
        }
        stray = names;
        if (differs(() => differingSysctls(desired.sysctls, options.sysctls))) runner.trigger('sysctl');
        if (differs(() => differingFiles(desired.files))) runner.trigger('file');
      }
      poll();
    });
  }

  async function followStore(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        for await (const next of store.watch(abort.signal)) {
          reportProblems(log, snapshot?.problems ?? [], next.problems);
          snapshot = withOwnBackend(next);
          storeError = undefined;
          holder.notice(next);
          runner.trigger('leases');
        }
      } catch (error) {
        if (abort.signal.aborted) return;
        storeError = error;
        log.error({ err: error }, 'cannot follow the leases');
      }
      // An abort that was before is not told to listeners any more.
      if (abort.signal.aborted) return;
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimer(1000, resolve);
        abort.signal.addEventListener(
          'abort',
          () => {
            cancel();
            resolve();
          },
          { once: true },
        );
      });
    }
  }

  function state(): AgentState {
    const storeProblems = [
      ...(snapshot?.problems ?? []),
      ...(storeError === undefined ? [] : [{ object: 'store', message: errorMessage(storeError) }]),
    ];
    return { node, pass, storeProblems, renewedAt: holder.renewedAt, passes, lastPass, steps, repaired };
  }

  return {
    start() {
      stopWatching = options.watchKernel((change) => runner.trigger(change));
      // The store's first word starts the first pass; without one the periodic pass says so.
      runner.start();
      poll();
      following = followStore();
    },
    async stop() {
      abort.abort(new Error('The agent stops'));
      cancelPoll();
      stopWatching();
      await runner.stop();
      await following;
    },
    runNow: (reason) => runner.runNow(reason),
    get state() {
      return state();
    },
  };
}

/** The kernel could not even be read, or the like. */
function brokenPass(before: PassResult | undefined, error: unknown): PassResult {
  return {
    config: before?.config,
    underlay: before?.underlay,
    lease: before?.lease,
    desired: before?.desired,
    applied: false,
    unprogrammed: before?.unprogrammed ?? new Map(),
    settled: before?.settled,
    blockers: [errorMessage(error)],
    failed: new Map([['node', error]]),
    steps: new Map(),
    repairs: new Map(),
  };
}

/** A file that cannot be read is as good as one that differs: the pass says what is wrong with it. */
function differs(look: () => readonly string[]): boolean {
  try {
    return look().length > 0;
  } catch {
    return true;
  }
}

/** Says what is newly wrong in the store and what is not any more: the passes go on without it. */
function reportProblems(
  log: AgentOptions['log'],
  before: readonly StoreProblem[],
  now: readonly StoreProblem[],
): void {
  const isIn = (list: readonly StoreProblem[], { object, message }: StoreProblem): boolean =>
    list.some((other) => other.object === object && other.message === message);
  for (const problem of now) {
    if (!isIn(before, problem)) log.warn({ object: problem.object }, problem.message);
  }
  for (const { object } of before) {
    if (!now.some((problem) => problem.object === object)) log.info({ object }, 'no problem any more');
  }
}

/** Says what changed from one pass to the next; a quiet pass says nothing. */
function report(log: AgentOptions['log'], before: PassResult | undefined, now: PassResult): void {
  if (now.steps.size > 0) {
    const repairs = Object.fromEntries(now.repairs);
    if (now.repairs.size > 0) log.warn({ repairs }, 'put back what was changed');
    else log.info({ steps: Object.fromEntries(now.steps) }, 'changed');
  }
  const { removed = [], left = [] } = now.leftovers ?? {};
  if (removed.length > 0) log.info({ removed }, 'took away the rules that flannel left');
  if (left.length > 0) log.warn({ left }, 'rules of flannel stay');
  for (const [object, error] of now.failed) {
    const message = errorMessage(error);
    const known = before?.failed.get(object);
    if (known === undefined || errorMessage(known) !== message) log.error({ object }, message);
  }
  const rejected = new Set(
    before?.desired?.rejected.map(({ lease, reason }) => `${peerName(lease)} ${reason}`),
  );
  for (const { lease, reason } of now.desired?.rejected ?? []) {
    const peer = peerName(lease);
    if (!rejected.has(`${peer} ${reason}`)) log.warn({ peer }, `peer left out: ${reason}`);
  }
  const wasReady = before?.blockers.length === 0;
  if (now.blockers.length === 0 && !wasReady) {
    log.info(
      { subnet: now.lease?.subnet, subnet6: now.lease?.subnet6, peers: now.desired?.peers.length },
      'ready',
    );
  }
  const blockers = now.blockers.join('; ');
  if (blockers !== '' && blockers !== before?.blockers.join('; '))
    log.warn({ blockers: now.blockers }, 'not ready');
}
