// What a lab consists of, computed from its options: names, addresses, directories. Pure; nothing is made here.
import type { Prefix } from '../../net/prefix.ts';
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import {
  familiesOfLab,
  type LabFamilies,
  type LabNetwork,
  labNetworks,
  nodeAddress,
} from './lab-networks.ts';
import { whyNotNetwork } from './network-config.ts';

export const labBackends = ['vxlan', 'host-gw', 'ipip', 'wireguard', 'udp'] as const;
export type LabBackend = (typeof labBackends)[number];

export const mostNodes = 50;
export const mostPodsPerNode = 20;

export const labRoot = '/run/netloom-lab';
export const netnsRoot = '/run/netns';

export interface NodePlan {
  readonly name: string;
  /** Name of the network namespace, as `ip netns` lists it. */
  readonly netns: string;
  /** On the underlay, with its length; one for each of the lab's networks, in their order. */
  readonly addresses: readonly Prefix[];
  /** Everything that the node's agent and plugin write is below. */
  readonly directory: string;
}

export interface PodPlan {
  readonly name: string;
  readonly node: string;
  readonly netns: string;
  /** What services select by. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface LabPlan {
  readonly name: string;
  readonly backend: LabBackend;
  readonly proxyMode: ProxyModeName;
  readonly agentFlags: readonly string[];
  /** So many times longer than usual may everything take. */
  readonly patience: number;
  readonly directory: string;
  /** The lease directory that all agents share, as they would share etcd. */
  readonly storeDirectory: string;
  /** One or two: a family each. */
  readonly networks: readonly LabNetwork[];
  readonly fabric: { readonly netns: string };
  readonly outside: { readonly netns: string };
  readonly nodes: readonly NodePlan[];
  readonly pods: readonly PodPlan[];
}

export interface LabOptions {
  readonly name: string;
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly backend: LabBackend;
  /** IPv4 if absent. */
  readonly families?: LabFamilies;
  readonly proxyMode?: ProxyModeName;
  /** More flags of `netloom node`, for every node: "--masquerade=iptables". */
  readonly agentFlags?: readonly string[];
  readonly patience?: number;
}

/** Throws RangeError or SyntaxError that quotes the option. */
export function planLab(options: LabOptions): LabPlan {
  const name = labName(options.name);
  const nodeCount = countWithin(options.nodes, { what: 'nodes', from: 1, to: mostNodes });
  const podCount = countWithin(options.podsPerNode, { what: 'pods per node', from: 0, to: mostPodsPerNode });
  const { backend, families = 'v4' } = options;
  const networks = familiesOfLab(families).map((family) => labNetworks[family]);
  const reason = whyNotNetwork({ backend, networks });
  if (reason !== undefined) throw new RangeError(`Cannot make a lab of families "${families}": ${reason}`);
  const nodes = Array.from({ length: nodeCount }, (_, i) => planNode(name, { number: i + 1, networks }));
  return {
    name,
    backend,
    proxyMode: options.proxyMode ?? 'nftables',
    agentFlags: options.agentFlags ?? [],
    patience: options.patience ?? 1,
    directory: labDirectory(name),
    storeDirectory: `${labDirectory(name)}/store`,
    networks,
    fabric: { netns: labNetns(name, 'fabric') },
    outside: { netns: labNetns(name, 'outside') },
    nodes,
    pods: nodes.flatMap((node, i) =>
      Array.from({ length: podCount }, (_, k) =>
        planPod(name, { name: defaultPodName(i + 1, k), node: node.name }),
      ),
    ),
  };
}

/** pod-1a, pod-1b … on the first node, pod-2a … on the second. */
function defaultPodName(node: number, index: number): string {
  return `pod-${node}${String.fromCharCode('a'.charCodeAt(0) + index)}`;
}

function planNode(
  lab: string,
  { number, networks }: { readonly number: number; readonly networks: readonly LabNetwork[] },
): NodePlan {
  const name = `n${number}`;
  return {
    name,
    netns: labNetns(lab, name),
    addresses: networks.map((network) => nodeAddress(network, number)),
    directory: `${labDirectory(lab)}/nodes/${name}`,
  };
}

export function planPod(
  lab: string,
  pod: {
    readonly name: string;
    readonly node: string;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  },
): PodPlan {
  const name = podName(pod.name);
  // As a pod of a deployment would have them: one label for all, one for itself.
  const labels = { app: 'echo', pod: name, ...pod.labels };
  return { name, node: pod.node, netns: labNetns(lab, name), labels };
}

/** What namespaces of tests and benchmarks are called: "netloom-bench-PID-N". To remove such a lab would take theirs. */
const takenNames: ReadonlySet<string> = new Set(['test', 'bench']);

/** A lab's name has no "-": so the names of its namespaces start with what no other lab's do. */
export function isLabName(name: string): boolean {
  return /^[a-z][a-z0-9]{0,15}$/.test(name) && !takenNames.has(name);
}

export function labName(name: string): string {
  if (!isLabName(name)) {
    throw new SyntaxError(
      `Cannot name a lab "${name}": want a letter, then up to 15 letters and digits, lower case, not "test" or "bench"`,
    );
  }
  return name;
}

/** A DNS label that is not the name of something else in the lab. */
export function podName(name: string): string {
  if (
    !/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name) ||
    ['outside', 'fabric'].includes(name) ||
    /^n\d+$/.test(name)
  ) {
    throw new SyntaxError(
      `Cannot name a pod "${name}": want up to 32 of a-z, 0-9 and "-", from a letter on; "outside", "fabric" and "n1", "n2" … are taken`,
    );
  }
  return name;
}

export function labDirectory(lab: string): string {
  return `${labRoot}/${lab}`;
}

/** What the names of all of a lab's namespaces begin with, and of no other's. */
export function labNetnsPrefix(lab: string): string {
  return `netloom-${lab}-`;
}

function labNetns(lab: string, member: string): string {
  return `${labNetnsPrefix(lab)}${member}`;
}

/** Manifests of services, shared by all nodes as they would share an API server. */
export function serviceDirectory(lab: string): string {
  return `${labDirectory(lab)}/services`;
}

export function netnsPath(netns: string): string {
  return `${netnsRoot}/${netns}`;
}

function countWithin(
  value: number,
  range: { readonly what: string; readonly from: number; readonly to: number },
): number {
  if (!Number.isInteger(value) || value < range.from || value > range.to) {
    throw new RangeError(`Cannot make a lab of ${value} ${range.what}: want ${range.from} to ${range.to}`);
  }
  return value;
}
