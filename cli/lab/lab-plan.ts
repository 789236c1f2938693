// What a lab consists of, computed from its options: names, addresses, directories. Pure; nothing is made here.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';

export const labBackends = ['vxlan', 'host-gw'] as const;
export type LabBackend = (typeof labBackends)[number];

export const mostNodes = 50;
export const mostPodsPerNode = 20;

/** Documentation ranges (RFC 5737): nothing real answers there, should a packet ever get out. */
const underlay = Prefix.parse('192.0.2.0/24');
const internetAddress = IpAddress.parse('198.51.100.10');
const podNetwork = Prefix.parse('10.244.0.0/16');
/** Nodes count from here: n1 is 192.0.2.11. */
const nodeBase = 10;

export const labRoot = '/run/netloom-lab';
export const netnsRoot = '/run/netns';

export interface NodePlan {
  readonly name: string;
  /** Name of the network namespace, as `ip netns` lists it. */
  readonly netns: string;
  /** On the underlay, with its length. */
  readonly address: Prefix;
  /** Everything that the node's agent and plugin write is below. */
  readonly directory: string;
}

export interface PodPlan {
  readonly name: string;
  readonly node: string;
  readonly netns: string;
}

export interface LabPlan {
  readonly name: string;
  readonly backend: LabBackend;
  readonly agentFlags: readonly string[];
  readonly directory: string;
  /** The lease directory that all agents share, as they would share etcd. */
  readonly storeDirectory: string;
  readonly podNetwork: Prefix;
  readonly fabric: { readonly netns: string };
  readonly outside: {
    readonly netns: string;
    /** The nodes' default gateway. */
    readonly gateway: Prefix;
    /** An address of "the internet", behind the gateway. */
    readonly internet: IpAddress;
  };
  readonly nodes: readonly NodePlan[];
  readonly pods: readonly PodPlan[];
}

export interface LabOptions {
  readonly name: string;
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly backend: LabBackend;
  /** More flags of `netloom agent`, for every node: "--masquerade=iptables". */
  readonly agentFlags?: readonly string[];
}

/** Throws RangeError or SyntaxError that quotes the option. */
export function planLab(options: LabOptions): LabPlan {
  const name = labName(options.name);
  const nodeCount = countWithin(options.nodes, { what: 'nodes', from: 1, to: mostNodes });
  const podCount = countWithin(options.podsPerNode, { what: 'pods per node', from: 0, to: mostPodsPerNode });
  const nodes = Array.from({ length: nodeCount }, (_, i) => planNode(name, i + 1));
  return {
    name,
    backend: options.backend,
    agentFlags: options.agentFlags ?? [],
    directory: labDirectory(name),
    storeDirectory: `${labDirectory(name)}/store`,
    podNetwork,
    fabric: { netns: labNetns(name, 'fabric') },
    outside: {
      netns: labNetns(name, 'outside'),
      gateway: new Prefix(underlay.address.plus(1), underlay.length),
      internet: internetAddress,
    },
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

function planNode(lab: string, number: number): NodePlan {
  const name = `n${number}`;
  return {
    name,
    netns: labNetns(lab, name),
    address: new Prefix(underlay.address.plus(nodeBase + number), underlay.length),
    directory: `${labDirectory(lab)}/nodes/${name}`,
  };
}

export function planPod(lab: string, pod: { readonly name: string; readonly node: string }): PodPlan {
  return { name: podName(pod.name), node: pod.node, netns: labNetns(lab, pod.name) };
}

/** A lab's name has no "-": so the names of its namespaces start with what no other lab's do. */
export function isLabName(name: string): boolean {
  return /^[a-z][a-z0-9]{0,15}$/.test(name) && name !== 'test';
}

export function labName(name: string): string {
  if (!isLabName(name)) {
    throw new SyntaxError(
      `Cannot name a lab "${name}": want a letter, then up to 15 letters and digits, lower case, not "test"`,
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
