// An agent for benchmarks: the real loop with the real drivers in a namespace, fed by a store in memory. It can be waited for.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Agent, createAgent } from '../../agent/agent.ts';
import { openCarrier } from '../../agent/carrier/open-carrier.ts';
import { createMacKeeper } from '../../agent/device-macs.ts';
import { createLeaseHolder } from '../../agent/lease-holder.ts';
import { openMadeRecord } from '../../agent/made-record.ts';
import { openNode } from '../../agent/open-node.ts';
import type { AgentState } from '../../agent/status.ts';
import type { Netns } from '../../kernel/netns.ts';
import { realClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import type { LeaseStore } from '../../store/lease-store.ts';
import { underlay } from './vxlan-peers.ts';

/** Milliseconds without a pass after which the agent is taken to be at rest: more than its least interval. */
const quiet = 120;
/** Milliseconds until a pass that does not come is given up. */
const patience = 60_000;
const hour = 3_600_000;

export interface BenchAgent {
  readonly agent: Agent;
  /** The state after the first pass from now on of which `hoped` is true. Rejects when none comes within a minute. */
  passed(hoped: (state: AgentState) => boolean): Promise<AgentState>;
  /** Resolves when no pass has come for a while. */
  rest(): Promise<void>;
  stop(): Promise<void>;
}

export interface BenchAgentOptions {
  readonly netns: Netns;
  readonly store: LeaseStore;
  /** Of its files. */
  readonly directory: string;
  /** What it calls itself; "bench-node" if absent. */
  readonly node?: string;
  /** After each pass. */
  readonly onPass?: (state: AgentState) => void;
}

/** A directory for an agent's files, removed when it is disposed of. */
export function openAgentDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'netloom-bench-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Opens its sockets and starts its loop: passes come by themselves from now on. */
export function startBenchAgent(options: BenchAgentOptions): BenchAgent {
  const { netns, store, directory, node = 'bench-node' } = options;
  const made = openMadeRecord(directory);
  const kernel = openNode({ netns, masquerade: 'nftables', made });
  let listeners: ((state: AgentState) => void)[] = [];
  const agent = createAgent({
    node,
    choices: {
      bridge: 'cni0',
      subnetFile: join(directory, 'subnet.env'),
      masquerade: 'nftables',
      masqueradeChoices: { exclude: [], randomFully: true, forward: true },
    },
    underlaySettings: {
      interfaces: [underlay],
      patterns: [],
      canReach: undefined,
      publicIp: undefined,
      publicIp6: undefined,
    },
    store,
    route: kernel.route,
    firewall: kernel.firewall,
    sysctls: kernel.sysctls,
    ...openCarrier({ stateDirectory: directory, kernel, now: Date.now }),
    watchKernel: kernel.watch,
    made,
    macs: createMacKeeper({ node, path: join(directory, 'macs.json') }),
    holder: createLeaseHolder({
      store,
      node,
      clock: realClock,
      renewInterval: hour,
      previous: () => undefined,
    }),
    // No periodic pass falls into a measurement.
    syncInterval: hour,
    clock: realClock,
    log: createLog({ level: 'silent' }).component('agent'),
    onPass: (state) => {
      options.onPass?.(state);
      for (const listener of listeners) listener(state);
    },
  });
  agent.start();
  return {
    agent,
    async passed(hoped) {
      const { promise, resolve, reject } = Promise.withResolvers<AgentState>();
      const listener = (state: AgentState): void => {
        if (hoped(state)) resolve(state);
      };
      const timer = setTimeout(
        () => reject(new Error(`The agent did not get there: ${agent.state.pass?.blockers.join('; ')}`)),
        patience,
      );
      listeners.push(listener);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        listeners = listeners.filter((other) => other !== listener);
      }
    },
    async rest() {
      for (let passes = -1; passes !== agent.state.passes; ) {
        passes = agent.state.passes;
        await sleep(quiet);
      }
    },
    async stop() {
      await agent.stop();
      await kernel.close();
    },
  };
}
