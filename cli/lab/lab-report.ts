// What a lab looks like now: its state file, and what its agents answer. For the map and for `lab status --json`.
import { isRunning, residentMemory } from '../../kernel/process.ts';
import { familyName } from '../../proxy/family-name.ts';
import { agentStatus, programmedPeers } from './agent-status.ts';
import { proxyOf } from './await-proxy.ts';
import { nodePaths } from './daemons.ts';
import { choiceOfFamilies, type LabFamilies } from './lab-networks.ts';
import type { LabNode, LabState } from './lab-state.ts';

export interface AgentReport {
  readonly state: 'ready' | 'not-ready' | 'silent' | 'stopped';
  readonly pid: number | null;
  /** How many other nodes it has programmed. */
  readonly peers: number;
  /** Bytes. */
  readonly memory: number | null;
}

export interface ProxyReport {
  readonly state: 'ready' | 'not-ready' | 'silent' | 'stopped';
  /** For each of the lab's networks, in their order: one of both families counts in each. Empty when it does not answer. */
  readonly services: readonly number[];
}

export interface NodeReport {
  readonly name: string;
  readonly netns: string;
  /** The first of `addresses`. */
  readonly address: string;
  /** One for each of the lab's networks, in their order. */
  readonly addresses: readonly string[];
  /** The first of `leases`. */
  readonly lease: string | null;
  /** Its pod subnets, in the order of the lab's networks; empty when there is no lease. */
  readonly leases: readonly string[];
  readonly agent: AgentReport;
  readonly proxy: ProxyReport;
  readonly pods: readonly {
    readonly name: string;
    readonly netns: string;
    /** The first of `addresses`. */
    readonly address: string | null;
    /** Empty until it is wired. */
    readonly addresses: readonly string[];
  }[];
}

export interface LabReport {
  readonly name: string;
  readonly backend: string;
  readonly proxyMode: string;
  readonly phase: LabState['phase'];
  readonly created: string;
  readonly families: LabFamilies;
  readonly networks: LabState['networks'];
  readonly outside: LabState['outside'];
  readonly nodes: readonly NodeReport[];
}

export async function reportLab(state: LabState, signal: AbortSignal): Promise<LabReport> {
  const { name, backend, proxyMode, phase, created, networks, outside } = state;
  const families = choiceOfFamilies(networks.map(({ family }) => family));
  const nodes = await Promise.all(state.nodes.map((node) => reportNode(state, { node, signal })));
  return { name, backend, families, proxyMode, phase, created, networks, outside, nodes };
}

/** True when the lab is complete and all its agents and proxies are ready. */
export function isHealthy(report: LabReport): boolean {
  return (
    report.phase === 'running' &&
    report.nodes.every(({ agent, proxy }) => agent.state === 'ready' && proxy.state === 'ready')
  );
}

async function reportNode(
  state: LabState,
  { node, signal }: { readonly node: LabNode; readonly signal: AbortSignal },
): Promise<NodeReport> {
  const process = state.processes.find(({ name }) => name === `agent ${node.name}`);
  const running = process !== undefined && isRunning(process);
  const status = running
    ? await agentStatus(nodePaths(node).socket, signal).catch(() => undefined)
    : undefined;
  const proxy = running
    ? await proxyOf(nodePaths(node).proxySocket, signal).catch(() => undefined)
    : undefined;
  const pods = state.pods
    .filter((pod) => pod.node === node.name)
    .map(({ name, netns, addresses }) => ({ name, netns, address: addresses[0] ?? null, addresses }));
  const { subnet, subnet6 } = status?.lease ?? {};
  const leases = state.networks.flatMap(({ family }) => (family === 4 ? subnet : subnet6) ?? []);
  return {
    name: node.name,
    netns: node.netns,
    address: node.addresses[0] ?? '',
    addresses: node.addresses,
    lease: leases[0] ?? null,
    leases,
    agent: {
      state: !running ? 'stopped' : status === undefined ? 'silent' : status.ready ? 'ready' : 'not-ready',
      pid: running ? process.pid : null,
      peers: status === undefined ? 0 : programmedPeers(status),
      memory: running ? (residentMemory(process.pid) ?? null) : null,
    },
    proxy: {
      state: !running ? 'stopped' : proxy === undefined ? 'silent' : proxy.ready ? 'ready' : 'not-ready',
      services: state.networks.flatMap(
        ({ family }) => proxy?.families.find((one) => one.family === familyName(family))?.services ?? [],
      ),
    },
    pods,
  };
}
