// Makes a lab: namespaces and wires, agents and responder, pods. What fails on the way is removed again.

import { mkdirSync, writeFileSync } from 'node:fs';
import { isRunning, type ProcessIdentity } from '../../kernel/process.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { Progress } from '../progress.ts';
import { awaitAgent } from './agent-status.ts';
import { awaitProxy } from './await-proxy.ts';
import {
  logTail,
  nodePaths,
  responderLog,
  responderSocket,
  startAgent,
  startResponderProcess,
} from './daemons.ts';
import { makeNamespaces } from './lab-namespaces.ts';
import { type LabPlan, serviceDirectory } from './lab-plan.ts';
import { type LabRecord, labRecord, withLabLock, withProcess } from './lab-record.ts';
import { type LabNode, type LabState, readLabState } from './lab-state.ts';
import { networkConfig } from './network-config.ts';
import { addPod } from './pods.ts';
import { awaitResponder, openEndpointOf } from './responder-client.ts';
import { labNamespaces, sweepLab } from './sweep.ts';

export interface UpOptions {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Removes a lab of that name first. */
  readonly replace: boolean;
}

/** A step of `lab up` that failed, with the last lines of the log that may say why. */
export class LabStepError extends Error {
  readonly log: readonly string[];

  constructor(
    step: string,
    { cause, log = [] }: { readonly cause: unknown; readonly log?: readonly string[] },
  ) {
    super(`${step} failed: ${errorMessage(cause)}`, { cause });
    this.name = 'LabStepError';
    this.log = log;
  }
}

/** Milliseconds until a daemon must be of use. */
const patience = 20_000;
/** So many plugins run at once: more only wait for a processor. */
const wiredAtOnce = 4;

/** Throws Error when the lab exists, LabStepError when a step fails (nothing is left then). */
export async function labUp(plan: LabPlan, options: UpOptions): Promise<LabState> {
  const { signal } = options;
  return await withLabLock(plan.name, {
    signal,
    action: async () => {
      if (!options.replace) refuseExisting(plan.name);
      else if (exists(plan.name)) {
        await options.progress.step(`Removing the lab "${plan.name}" that is there`, () =>
          sweepLab(plan.name),
        );
      }
      try {
        return await build(plan, options);
      } catch (error) {
        await sweepLab(plan.name);
        throw error;
      }
    },
  });
}

/** Throws Error that says what to do when there is something of a lab of that name. */
export function refuseExisting(lab: string): void {
  if (exists(lab)) throw new Error(alreadyThere(lab));
}

function exists(lab: string): boolean {
  try {
    return readLabState(lab) !== undefined || labNamespaces(lab).length > 0;
  } catch {
    // A state file that makes no sense is something to be removed too.
    return true;
  }
}

function alreadyThere(lab: string): string {
  const flag = lab === 'default' ? '' : ` --name ${lab}`;
  return `There is a lab "${lab}" already: "netloom lab up${flag} --replace" makes it anew, "netloom lab down${flag}" removes it`;
}

async function build(plan: LabPlan, { progress, signal }: UpOptions): Promise<LabState> {
  const lab = labRecord(startingState(plan));
  await progress.step(`Making ${plan.nodes.length + 2} namespaces and the wires between them`, async () => {
    for (const directory of [plan.storeDirectory, serviceDirectory(plan.name)])
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(`${plan.storeDirectory}/config`, networkConfig(plan));
    makeNamespaces(plan);
  });
  signal.throwIfAborted();
  await progress.step(`Starting ${plan.nodes.length === 1 ? 'the node' : `${plan.nodes.length} nodes`}`, () =>
    startDaemons(lab, signal),
  );
  await progress.step(`Wiring ${plan.pods.length} pods with the plugin`, () =>
    forEachAtMost(plan.pods, {
      atOnce: wiredAtOnce,
      action: async (pod) => {
        signal.throwIfAborted();
        await addPod(lab, { pod, signal }).catch((cause: unknown) => {
          const node = plan.nodes.find(({ name }) => name === pod.node);
          throw new LabStepError(`Pod "${pod.name}"`, {
            cause,
            log: node === undefined ? [] : logTail(nodePaths(node).log),
          });
        });
      },
    }),
  );
  lab.update((state) => ({ ...state, phase: 'running' }));
  return lab.state;
}

function startingState(plan: LabPlan): LabState {
  return {
    version: 2,
    name: plan.name,
    backend: plan.backend,
    proxyMode: plan.proxyMode,
    created: new Date().toISOString(),
    phase: 'starting',
    agentFlags: [...plan.agentFlags],
    patience: plan.patience,
    networks: plan.networks.map(({ family, gateway, internet, pods, services, loadBalancers }) => ({
      family,
      gateway: gateway.address.toString(),
      internet: internet.toString(),
      pods: pods.toString(),
      services: services.toString(),
      loadBalancers: loadBalancers.toString(),
    })),
    outside: plan.outside,
    fabric: plan.fabric,
    nodes: plan.nodes.map((node) => ({
      ...node,
      addresses: node.addresses.map(({ address }) => address.toString()),
    })),
    pods: [],
    processes: [],
  };
}

async function startDaemons(lab: LabRecord, signal: AbortSignal): Promise<void> {
  const { state } = lab;
  await Promise.all([
    startResponderOf(lab, signal),
    ...state.nodes.map((node) => startAgentOf(lab, { node, signal })),
  ]);
}

async function startResponderOf(lab: LabRecord, signal: AbortSignal): Promise<void> {
  const { name, networks, outside, nodes } = lab.state;
  const timeout = patience * lab.state.patience;
  try {
    const identity = await startResponderProcess(lab.state);
    lab.update((state) => withProcess(state, { name: 'responder', ...identity }));
    await awaitResponder(name, { timeout, alive: () => isRunning(identity), signal });
    const internet = networks.map((network) => network.internet);
    await openEndpointOf(lab.state, { name: 'outside', netns: outside.netns, datagrams: internet });
    for (const node of nodes) await openEndpointOf(lab.state, node);
  } catch (cause) {
    signal.throwIfAborted();
    throw new LabStepError(`The responder at "${responderSocket(name)}"`, {
      cause,
      log: logTail(responderLog(name)),
    });
  }
}

async function startAgentOf(
  lab: LabRecord,
  { node, signal }: { readonly node: LabNode; readonly signal: AbortSignal },
): Promise<void> {
  const paths = nodePaths(node);
  const timeout = patience * lab.state.patience;
  let identity: ProcessIdentity | undefined;
  try {
    identity = await startAgent(lab.state, node);
    const started = identity;
    lab.update((state) => withProcess(state, { name: `agent ${node.name}`, ...started }));
    await awaitAgent({
      socketPath: paths.socket,
      peers: lab.state.nodes.length - 1,
      timeout,
      alive: () => isRunning(started),
      signal,
    });
    await awaitProxy({
      socketPath: paths.proxySocket,
      timeout,
      alive: () => isRunning(started),
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw new LabStepError(`The agent of node "${node.name}"`, { cause, log: logTail(paths.log) });
  }
}

/** Runs the action for all items, some at once; after a failure no further one is begun. */
async function forEachAtMost<T>(
  items: readonly T[],
  { atOnce, action }: { readonly atOnce: number; readonly action: (item: T) => Promise<void> },
): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && failures.length === 0; item = queue.shift()) {
      await action(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failures.length > 0) throw failures[0];
}
