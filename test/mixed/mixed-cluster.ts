// Nodes on one underlay, of which some are flannel's and some Netloom's, and one store for both: etcd, or an API server. The store listens
// on loopback of the tests' own namespace; each node finds it on its own loopback, at the same port.
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { bindTcp } from '../../kernel/bind-tcp.ts';
import { IpAddress } from '../../net/address.ts';
import { run, TestCluster, type TestNode } from '../agent/cluster.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { EtcdCluster, etcdFault } from '../store/etcd-cluster.ts';
import { bareNode } from '../store/kubernetes-suite.ts';
import { fakeCluster, type TestCluster as KubeCluster } from '../store/test-cluster.ts';
import { FlannelDriver, type FlannelNode, type FlannelRulesForm, network } from './flannel-node.ts';
import { etcdPrefix, type FlannelStore, flannelEtcd, flannelNodes } from './flannel-store.ts';
import { RealFlannel, whyNoFlanneld } from './real-flannel.ts';

export type StoreKind = 'etcd' | 'annotations';

/** Each Node has some: flanneld ends with a panic on one without any. */
export const othersAnnotations = { 'node.alpha.kubernetes.io/ttl': '0' } as const;

/** Why there can be no such store here. */
export function storeFault(kind: StoreKind): string | undefined {
  return kind === 'etcd' ? etcdFault() : undefined;
}

export interface MixedOptions {
  readonly store: StoreKind;
  /** With udp, only the real flanneld is flannel: nothing else carries packets. */
  readonly backend: 'vxlan' | 'host-gw' | 'udp';
  /** How flannel's rules are made; nftables unless said. */
  readonly rules?: FlannelRulesForm;
  /** More flags of Netloom's agents, without their dashes. */
  readonly settings?: Readonly<Record<string, string>>;
}

export class MixedCluster implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly first: TestNode;
  readonly second: TestNode;
  /** Where the world is: it knows no pods, only nodes. */
  readonly outside: { readonly place: TestNetns; readonly address: string };
  readonly etcd: EtcdCluster | undefined;
  readonly kube: KubeCluster | undefined;
  readonly #options: MixedOptions;
  readonly #relays: Relay[] = [];
  readonly #flannels: FlannelNode[] = [];
  readonly #flags: readonly string[];

  private constructor(
    options: MixedOptions,
    store: { readonly etcd: EtcdCluster | undefined; readonly kube: KubeCluster | undefined },
  ) {
    this.#options = options;
    this.etcd = store.etcd;
    this.kube = store.kube;
    const [url = ''] = store.etcd?.endpoints ?? [store.kube?.access('agent').server ?? ''];
    this.cluster = new TestCluster({
      nodes: 2,
      settings: {
        'sync-interval': '1s',
        ...(store.etcd === undefined ? { 'kube-api-url': url } : { 'etcd-endpoints': url }),
        ...options.settings,
      },
    });
    const config = join(this.cluster.directory, 'net-conf.json');
    writeFileSync(config, this.config);
    const [first, second] = this.cluster.nodes;
    if (first === undefined || second === undefined) throw new Error('two nodes are wanted');
    this.first = first;
    this.second = second;
    this.#flags =
      store.etcd === undefined
        ? ['--kube-subnet-mgr', `--kube-api-url=${url}`, `--net-config-path=${config}`]
        : [`--etcd-endpoints=${url}`];
    this.outside = { place: testNetns(), address: '192.0.2.200' };
    const { name } = this.outside.place;
    const fabric = this.cluster.fabric.name;
    run(`ip link add eth0 netns ${name} type veth peer name port200 netns ${fabric}`);
    run(`ip -n ${fabric} link set port200 master br0 up`);
    run(`ip -n ${name} address add ${this.outside.address}/24 dev eth0`);
    run(`ip -n ${name} link set eth0 up`);
    this.agentFlags = store.etcd === undefined ? [`--net-config-path=${config}`] : [];
    this.#port = Number(new URL(url).port);
  }

  readonly #port: number;
  readonly agentFlags: readonly string[];

  /** The network's configuration, flannel's net-conf.json. */
  get config(): string {
    const { backend, rules = 'nftables' } = this.#options;
    const nftables = rules === 'nftables' ? ',"EnableNFTables":true' : '';
    return `{"Network":"${network}"${nftables},"Backend":{"Type":"${backend}"}}`;
  }

  static async start(options: MixedOptions): Promise<MixedCluster> {
    const etcd = options.store === 'etcd' ? await EtcdCluster.start() : undefined;
    // Without tokens everybody may do everything: neither program has credentials here.
    const kube = options.store === 'annotations' ? await fakeCluster() : undefined;
    kube?.server.tokens.clear();
    const mixed = new MixedCluster(options, { etcd, kube });
    await etcd?.put(`${etcdPrefix}/config`, mixed.config);
    for (const node of mixed.cluster.nodes) {
      await mixed.registerNode(node, `10.244.${node.number}.0/24`);
      mixed.#relays.push(await Relay.open(node.place, mixed.#port));
      // The way out, by which pods reach what is outside.
      run(`ip -n ${node.place.name} route add default via 192.0.2.200`);
    }
    return mixed;
  }

  /** As kubelet and kube-controller-manager do. */
  async registerNode(node: TestNode, podNetwork: string): Promise<void> {
    const bare = bareNode(node.name, podNetwork);
    await this.kube?.put('nodes', {
      ...bare,
      metadata: { ...bare.metadata, annotations: othersAnnotations },
    });
  }

  /** flanneld where it is, else what stands in for it. */
  flannel(node: TestNode): FlannelNode {
    const { backend, rules = 'nftables' } = this.#options;
    const made =
      backend === 'udp' || whyNoFlanneld(rules) === undefined
        ? new RealFlannel({ node, rules, flags: this.#flags })
        : new FlannelDriver({ node, backend, rules, openStore: () => this.openStore(node) });
    this.#flannels.push(made);
    return made;
  }

  openStore(node: TestNode): FlannelStore {
    if (this.etcd !== undefined) return flannelEtcd(this.etcd);
    if (this.kube === undefined) throw new Error('no store');
    return flannelNodes(this.kube, node.name);
  }

  /** Netloom's agent on a node, ready, with so many peers. */
  async netloom(node: TestNode, peers: number): Promise<void> {
    this.cluster.start(node, this.agentFlags);
    await this.cluster.ready(node, peers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const flannel of this.#flannels) await flannel.stop();
    await this.cluster.close();
    for (const relay of this.#relays) await relay[Symbol.asyncDispose]();
    this.outside.place[Symbol.dispose]();
    await this.etcd?.[Symbol.asyncDispose]();
    await this.kube?.[Symbol.asyncDispose]();
  }
}

/** Carries connections from 127.0.0.1 of a namespace to the same port of ours. */
class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  static async open({ netns }: TestNetns, port: number): Promise<Relay> {
    const relay = new Relay(port);
    const fd = bindTcp({ address: IpAddress.parse('127.0.0.1'), port, netns });
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject);
      relay.#server.listen({ fd }, resolve);
    });
    return relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
