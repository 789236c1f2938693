// Leases on Node objects, as flannel's kube subnet manager keeps them: subnets in spec.podCIDRs, the rest in annotations, the network's
// configuration in a file. Kubernetes gives subnets and takes them back, so leases neither end nor are claimed. Past 300 lines: what is
// published, what is followed and what is told of it are one state.
import { overlap, sharesAddress } from '../choose-lease.ts';
import type { Lease } from '../lease.ts';
import { type LeaseSubnets, leaseKey } from '../lease-key.ts';
import {
  type LeaseRequest,
  type LeaseSnapshot,
  type LeaseStore,
  type NodeReport,
  type StoreProblem,
  sameProblems,
} from '../lease-store.ts';
import type { NetworkConfig } from '../network-config.ts';
import type { SourceSurroundings } from '../source-status.ts';
import { isStoreError, StoreError } from '../store-error.ts';
import { type ApiError, isApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';
import { listAll, listWatch } from './api/list-watch.ts';
import { EventRecorder } from './event-recorder.ts';
import { NetworkConfigFile } from './network-config-file.ts';
import { Newest } from './newest.ts';
import {
  decodeNodeLease,
  differingAnnotations,
  encodeNodeLease,
  flannelPrefix,
  nodeObject,
  nodeSubnets,
  overwrittenAddresses,
  withoutNodeLease,
} from './node-lease.ts';
import { NodeReporter, statusObject } from './node-reporter.ts';
import { NodeSelection } from './node-selection.ts';
import { type KubeNode, parseNode } from './parse-node.ts';
import { tellServerStatus } from './server-status.ts';

const nodesPath = '/api/v1/nodes';

/** From one look at net-conf.json to the next. */
const configLookMs = 10_000;

/** Changes that come together are one snapshot. */
const gatherMs = 5;

export interface KubernetesLeaseStoreOptions {
  readonly client: KubeClient;
  /** net-conf.json. */
  readonly configPath: string;
  /** Ends with a slash. */
  readonly annotationPrefix?: string;
  readonly setsCondition?: boolean;
  readonly configLookMs?: number;
  readonly retry?: { readonly min: number; readonly max: number };
  readonly onStatus?: SourceSurroundings['onStatus'] | undefined;
}

export class KubernetesLeaseStore implements LeaseStore {
  readonly #client: KubeClient;
  readonly #config: NetworkConfigFile;
  readonly #annotationPrefix: string;
  readonly #retry: { readonly min: number; readonly max: number } | undefined;
  readonly #onStatus: SourceSurroundings['onStatus'];
  readonly #configLookMs: number;
  readonly #selection: NodeSelection;
  readonly #events: EventRecorder;
  readonly #reporter: NodeReporter;
  readonly #snapshots = new Newest<LeaseSnapshot>();
  readonly #abort = new AbortController();
  #following: Promise<void> | undefined;
  #isListed = false;
  /** The Nodes were listed once, by whomever. */
  #isKnown = false;
  #own: string | undefined;
  #ownNode: KubeNode | undefined;
  #trouble: ApiError | undefined;
  #reportTrouble: ApiError | undefined;
  #isConnected: boolean | undefined;
  #last: LeaseSnapshot = { config: undefined, leases: new Map(), problems: [] };
  #gathering: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor({
    client,
    configPath,
    annotationPrefix = flannelPrefix,
    setsCondition = true,
    configLookMs: lookMs = configLookMs,
    retry,
    onStatus,
  }: KubernetesLeaseStoreOptions) {
    this.#client = client;
    this.#config = new NetworkConfigFile(configPath);
    this.#annotationPrefix = annotationPrefix;
    this.#configLookMs = lookMs;
    this.#retry = retry;
    this.#onStatus = onStatus;
    this.#selection = new NodeSelection({ annotationPrefix });
    this.#events = new EventRecorder({ client });
    this.#reporter = new NodeReporter({
      client,
      events: this.#events,
      setsCondition,
      ownNode: () => this.#ownNode,
      onTrouble: (error) => {
        this.#reportTrouble = error;
        this.#gather();
      },
    });
  }

  async networkConfig(signal: AbortSignal): Promise<NetworkConfig> {
    signal.throwIfAborted();
    return this.#config.read();
  }

  async acquire(request: LeaseRequest, signal: AbortSignal): Promise<Lease> {
    this.#own = request.node;
    this.#selection.own = request.node;
    const config = await this.#config.read();
    const node = await this.#node(request.node, signal);
    const subnets = nodeSubnets(node, config);
    const stated = { ...request, ...overwrittenAddresses(node, this.#annotationPrefix) };
    const wanted = encodeNodeLease(stated, subnets);
    const differing = differingAnnotations(node, wanted);
    if (differing.size === 0) return this.#took(node, config);
    const isSame = (key: string) => !differing.has(key);
    // Who already has what he asks for is there first, whatever others wrote since.
    if (!isSame('kube-subnet-manager') || !isSame('public-ip') || !isSame('public-ipv6'))
      await this.#refuseTaken(stated, { subnets, signal });
    return this.#took(await this.#patchAnnotations(request.node, differing, signal), config);
  }

  async renew(lease: Lease, signal: AbortSignal): Promise<Lease> {
    const lost = (message: string) =>
      new StoreError(`Cannot renew lease "${leaseKey(lease)}": ${message}`, {
        code: 'lost',
        object: leaseKey(lease),
      });
    if (lease.node === undefined) throw lost('it is no Node’s');
    let node: KubeNode;
    let subnets: LeaseSubnets;
    try {
      node = await this.#node(lease.node, signal);
      subnets = nodeSubnets(node, await this.#config.read());
    } catch (error) {
      if (isStoreError(error, 'missing') || isStoreError(error, 'invalid')) throw lost(error.message);
      throw error;
    }
    if (leaseKey(subnets) !== leaseKey(lease)) throw lost(`its Node has "${leaseKey(subnets)}" now`);
    // What was taken away is put back. What says something else is another machine's word: the lease holder says so.
    const missing = [...encodeNodeLease(lease, subnets)].filter(
      ([key, text]) => text !== null && !node.annotations.has(key),
    );
    if (missing.length > 0) await this.#patchAnnotations(lease.node, new Map(missing), signal);
    return lease;
  }

  async release(lease: Lease, signal: AbortSignal): Promise<void> {
    if (lease.node === undefined) return;
    let node: KubeNode;
    try {
      node = await this.#node(lease.node, signal);
    } catch (error) {
      if (isStoreError(error, 'missing')) return;
      throw error;
    }
    const said = (key: string, address: unknown) =>
      address === undefined || node.annotations.get(key) === String(address);
    if (!said('public-ip', lease.publicIp) || !said('public-ipv6', lease.publicIp6)) return;
    const differing = differingAnnotations(node, withoutNodeLease());
    if (differing.size > 0) await this.#patchAnnotations(lease.node, differing, signal);
  }

  async snapshot(signal: AbortSignal): Promise<LeaseSnapshot> {
    signal.throwIfAborted();
    await this.#config.look();
    if (!this.#isListed) {
      const { objects } = await listAll(
        { client: this.#client, path: nodesPath, read: (object) => this.#read(object) },
        { notOlderThan: '0', signal },
      );
      if (!this.#isListed) this.#selection.replace(objects.filter((node) => node !== undefined));
      this.#isKnown = true;
    }
    if (this.#select()) this.#snapshots.set(this.#last);
    return this.#last;
  }

  watch(signal: AbortSignal): AsyncIterable<LeaseSnapshot> {
    this.#following ??= this.#follow();
    return this.#snapshots.read(signal);
  }

  report(report: NodeReport): void {
    this.#reporter.hear(report);
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('The store is closed'));
    clearTimeout(this.#gathering);
    clearTimeout(this.#looking);
    this.#reporter.close();
    this.#events.close();
    this.#snapshots.close();
    await this.#following;
    this.#client.close();
  }

  async #follow(): Promise<void> {
    await this.#config.look();
    this.#lookLater();
    await listWatch<KubeNode | undefined>(
      {
        client: this.#client,
        path: nodesPath,
        read: (object) => this.#read(object),
        listener: {
          replace: (nodes) => {
            this.#isListed = true;
            this.#isKnown = true;
            const named = nodes.filter((node) => node !== undefined);
            this.#ownNode = named.find(({ name }) => name === this.#own) ?? this.#ownNode;
            this.#selection.replace(named);
            this.#gather();
          },
          put: (node) => {
            if (node === undefined) return;
            if (node.name === this.#own) this.#ownNode = node;
            this.#selection.put(node);
            this.#gather();
          },
          remove: (node) => {
            if (node === undefined) return;
            this.#selection.remove(node.name);
            this.#gather();
          },
          trouble: (error) => this.#hearTrouble(error),
        },
        ...(this.#retry === undefined ? {} : { retry: this.#retry }),
      },
      this.#abort.signal,
    );
  }

  #hearTrouble(error: ApiError | undefined): void {
    const isConnected = error === undefined;
    if (isConnected === this.#isConnected && error?.message === this.#trouble?.message) return;
    this.#isConnected = isConnected;
    this.#trouble = error;
    tellServerStatus(this.#onStatus, { server: this.#client.server, error });
    this.#gather();
  }

  #lookLater(): void {
    this.#looking = setTimeout(() => {
      void this.#config
        .look()
        .then((isOther) => {
          if (isOther) this.#gather();
        })
        .finally(() => {
          if (!this.#abort.signal.aborted) this.#lookLater();
        });
    }, this.#configLookMs);
    this.#looking.unref();
  }

  #gather(): void {
    if (this.#abort.signal.aborted) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (this.#select()) this.#snapshots.set(this.#last);
    }, gatherMs);
  }

  /** Makes the newest snapshot; true when it is another one. */
  #select(): boolean {
    // Before the first list nothing is known of others: that there are none is not what the store says.
    const config = this.#isKnown ? this.#config.config : undefined;
    const selected = config === undefined ? undefined : this.#selection.select(config);
    const problems: StoreProblem[] = [];
    if (this.#config.problem !== undefined) problems.push(this.#config.problem);
    if (this.#trouble !== undefined)
      problems.push({ object: this.#client.server, message: this.#trouble.message });
    if (this.#reportTrouble !== undefined && this.#own !== undefined)
      problems.push({ object: statusObject(this.#own), message: this.#reportTrouble.message });
    problems.push(...(selected?.problems ?? []));
    const isOther =
      selected?.changed === true ||
      config !== this.#last.config ||
      !sameProblems(problems, this.#last.problems);
    if (isOther) this.#last = { config, leases: selected?.leases ?? this.#last.leases, problems };
    return isOther;
  }

  #read(object: unknown): KubeNode | undefined {
    return parseNode(object, this.#annotationPrefix);
  }

  async #node(name: string, signal: AbortSignal): Promise<KubeNode> {
    try {
      const node = this.#read(await this.#client.json({ path: `${nodesPath}/${name}`, signal }));
      if (node?.name === name) return node;
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
      throw new StoreError(
        `Cannot find "${nodeObject(name)}": kubelet has not registered a node of this name`,
        {
          code: 'missing',
          object: nodeObject(name),
          cause: error,
        },
      );
    }
    throw new StoreError(`Cannot read "${nodeObject(name)}"`, { code: 'invalid', object: nodeObject(name) });
  }

  #took(node: KubeNode, config: NetworkConfig): Lease {
    this.#ownNode = node;
    return decodeNodeLease(node, { config, annotationPrefix: this.#annotationPrefix });
  }

  /** Only the annotations that differ, and without a version: whatever others change meanwhile, nobody is in another's way. */
  async #patchAnnotations(
    name: string,
    differing: ReadonlyMap<string, string | null>,
    signal: AbortSignal,
  ): Promise<KubeNode> {
    const annotations = Object.fromEntries(
      [...differing].map(([key, text]) => [this.#annotationPrefix + key, text]),
    );
    const answer = await this.#client.json({
      method: 'PATCH',
      path: `${nodesPath}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations } },
      signal,
    });
    const node = this.#read(answer);
    if (node?.name !== name)
      throw new StoreError(`Cannot read "${nodeObject(name)}"`, {
        code: 'invalid',
        object: nodeObject(name),
      });
    if (this.#isListed) {
      this.#selection.put(node);
      this.#gather();
    }
    return node;
  }

  /** Throws StoreError `conflict` when another node's lease has what we would publish. */
  async #refuseTaken(
    { node: name, publicIp, publicIp6 }: Pick<LeaseRequest, 'node' | 'publicIp' | 'publicIp6'>,
    { subnets, signal }: { readonly subnets: LeaseSubnets; readonly signal: AbortSignal },
  ): Promise<void> {
    const { leases } = await this.snapshot(signal);
    for (const other of leases.values()) {
      if (other.node === name || other.node === undefined) continue;
      const isShared = sharesAddress(other, { node: name, publicIp, publicIp6 });
      if (!isShared && !overlap(other, subnets)) continue;
      const held = isShared
        ? `its public address "${other.publicIp ?? other.publicIp6}" is held by`
        : `its pod network overlaps "${leaseKey(other)}" of`;
      throw new StoreError(`Cannot acquire a lease for node "${name}": ${held} "${nodeObject(other.node)}"`, {
        code: 'conflict',
        object: nodeObject(other.node),
      });
    }
  }
}
