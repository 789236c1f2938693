// Which Nodes' leases count: valid ones inside of the network, of which no two overlap or have one public address. Who came first
// stays: our own, then those that counted before, then the Node that was made first. Fed Node by Node; knows no server.
import type { Lease } from '../lease.ts';
import { leaseKey } from '../lease-key.ts';
import type { LeaseRecord } from '../lease-record.ts';
import { LeaseSelection } from '../lease-selection.ts';
import type { StoreProblem } from '../lease-store.ts';
import type { NetworkConfig } from '../network-config.ts';
import { isStoreError } from '../store-error.ts';
import { decodeNodeLease, isManaged, nodeObject } from './node-lease.ts';
import type { KubeNode } from './parse-node.ts';

export interface SelectedNodes {
  /** By lease key. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly problems: readonly StoreProblem[];
  /** Whether anything differs from last time. */
  readonly changed: boolean;
}

export class NodeSelection {
  readonly #annotationPrefix: string;
  #selection = new LeaseSelection();
  #config: NetworkConfig | undefined;
  /** Of managed Nodes, by name: what a lease follows from. */
  readonly #nodes = new Map<string, KubeNode>();
  readonly #records = new Map<string, LeaseRecord>();
  /** Why a managed Node has no lease, by name. */
  readonly #refused = new Map<string, StoreProblem>();
  #changed = new Set<string>();
  #problemsChanged = true;
  #own: string | undefined;
  /** Keys of leases: their objects stay the same while they do. */
  readonly #keys = new WeakMap<Lease, string>();
  #selected: ReadonlyMap<string, Lease> = new Map();
  #leases: ReadonlyMap<string, Lease> = new Map();
  #problems: readonly StoreProblem[] = [];

  constructor({ annotationPrefix }: { readonly annotationPrefix: string }) {
    this.#annotationPrefix = annotationPrefix;
  }

  /** Our own Node, whose lease nothing evicts. */
  set own(name: string | undefined) {
    this.#own = name;
  }

  replace(nodes: readonly KubeNode[]): void {
    const now = new Set(nodes.map(({ name }) => name));
    for (const name of [...this.#nodes.keys()]) if (!now.has(name)) this.remove(name);
    for (const node of nodes) this.put(node);
  }

  put(node: KubeNode): void {
    if (!isManaged(node)) {
      this.remove(node.name);
      return;
    }
    const before = this.#nodes.get(node.name);
    if (before !== undefined && saysTheSame(before, node)) return;
    this.#nodes.set(node.name, node);
    this.#decode(node, before);
  }

  remove(name: string): void {
    if (!this.#nodes.delete(name)) return;
    this.#problemsChanged ||= this.#refused.delete(name);
    if (this.#records.delete(name)) this.#changed.add(name);
  }

  select(config: NetworkConfig): SelectedNodes {
    const isOther = config !== this.#config;
    this.#config = config;
    if (isOther) for (const node of this.#nodes.values()) this.#decode(node);
    const { leases, problems, changed } = this.#selection.update({
      files: this.#records,
      changed: isOther ? undefined : this.#changed,
      config,
      own: this.#own,
      // A Node's lease ends with the Node.
      renewedSince: Number.NEGATIVE_INFINITY,
    });
    this.#changed = new Set();
    const isNew = changed || isOther || this.#problemsChanged || problems !== this.#problems;
    if (leases !== this.#selected) this.#leases = this.#byKey(leases);
    this.#selected = leases;
    this.#problems = problems;
    this.#problemsChanged = false;
    return { leases: this.#leases, problems: [...this.#refused.values(), ...problems], changed: isNew };
  }

  #decode(node: KubeNode, before?: KubeNode): void {
    if (this.#config === undefined) return;
    const { name, createdAt = 0 } = node;
    const path = nodeObject(name);
    try {
      const lease = decodeNodeLease(node, { config: this.#config, annotationPrefix: this.#annotationPrefix });
      this.#problemsChanged ||= this.#refused.delete(name);
      const { subnet, subnet6 } = lease;
      this.#records.set(name, {
        key: name,
        path,
        subnets: { subnet, subnet6 },
        renewedAt: createdAt,
        lease,
        dated: lease,
        problem: undefined,
      });
      this.#changed.add(name);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      // Annotations that went bad on the same Node with the same subnets: its last good lease stays.
      const stays =
        before !== undefined &&
        before.uid === node.uid &&
        before.podNetworks.join() === node.podNetworks.join() &&
        this.#records.has(name);
      const message = stays ? `${error.message}; what it said before stays` : error.message;
      this.#problemsChanged ||= this.#refused.get(name)?.message !== message;
      this.#refused.set(name, { object: path, message });
      if (!stays && this.#records.delete(name)) this.#changed.add(name);
    }
  }

  #byKey(leases: ReadonlyMap<string, Lease>): ReadonlyMap<string, Lease> {
    const byKey = new Map<string, Lease>();
    for (const lease of leases.values()) {
      let key = this.#keys.get(lease);
      if (key === undefined) {
        key = leaseKey(lease);
        this.#keys.set(lease, key);
      }
      byKey.set(key, lease);
    }
    return byKey;
  }
}

/** What a lease follows from is the same: kubelets write to their Nodes all the time. */
function saysTheSame(a: KubeNode, b: KubeNode): boolean {
  return (
    a.uid === b.uid &&
    a.createdAt === b.createdAt &&
    a.notes.join() === b.notes.join() &&
    a.podNetworks.join() === b.podNetworks.join() &&
    a.annotations.size === b.annotations.size &&
    [...a.annotations].every(([key, text]) => b.annotations.get(key) === text)
  );
}
