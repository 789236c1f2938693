// Keeps the thread of the udp backend running with what it needs: the device, the socket, the peers. The link itself is rtnetlink's and the
// pass's.
import type { TunnelKernel } from '../../../kernel/tun/tunnel-kernel.ts';
import { backoffDelay } from '../../../runtime/backoff.ts';
import { errorMessage } from '../../../runtime/error-text.ts';
import type {
  CarriedPeer,
  Carrier,
  CarrierChange,
  CarrierDevice,
  CarrierOptions,
  CarrierPlan,
  CarrierReport,
} from '../carrier.ts';
import type { ForwarderThread, StartThread } from './forwarder-thread.ts';
import { addressWord, peerWords, prefixWords } from './peer-routes.ts';
import type { UdpCounters } from './udp-counters.ts';
import type { WorkerNews } from './worker-messages.ts';

export interface UdpCarrierOptions {
  readonly kernel: TunnelKernel;
  readonly counters: UdpCounters;
  readonly startThread: StartThread;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random?: () => number;
}

export type UdpDevice = Extract<CarrierDevice, { kind: 'udp' }>;
export type UdpPeer = Extract<CarriedPeer, { kind: 'udp' }>;
type UdpPeers = ReadonlyMap<string, UdpPeer>;

/** Between crashes of the thread. One that lived so long is no repetition of the last. */
const backoff = { min: 250, max: 30_000 } as const;
const longLife = 60_000;

interface OpenSocket {
  readonly fd: number;
  readonly splits: boolean;
  readonly address: string;
  readonly port: number;
}

export function createUdpCarrier(options: UdpCarrierOptions): Carrier {
  return new UdpCarrier(options);
}

class UdpCarrier implements Carrier {
  readonly #options: UdpCarrierOptions;
  #thread: ForwarderThread | undefined;
  #startedAt = 0;
  #crashes = 0;
  #crash: { readonly error: Error; readonly retryAt: number } | undefined;
  #tun: number | undefined;
  #socket: OpenSocket | undefined;
  #raw: number | undefined;
  /** Of setups that the thread was told of. */
  #number = 0;
  /** Descriptors that it may still use: until it uses the setup of that number. */
  #retired: { readonly fd: number; readonly until: number }[] = [];
  #planned: { readonly all: CarrierPlan['peers'] | undefined; readonly ours: UdpPeers } = {
    all: undefined,
    ours: new Map(),
  };
  /** What the thread knows. */
  #toldDevice: UdpDevice | undefined;
  #toldPeers: UdpPeers = new Map();
  /** Something was opened that it does not know. */
  #hasNewEnd = false;
  /** It ended, or its device is gone. */
  #isStale = false;

  constructor(options: UdpCarrierOptions) {
    this.#options = options;
  }

  async ensure(plan: CarrierPlan, options: CarrierOptions): Promise<CarrierReport> {
    const failed = new Map<string, unknown>();
    const device = plan.devices.find((each) => each.kind === 'udp');
    if (device === undefined) {
      await this.close();
      return { changes: [], failed };
    }
    try {
      return { changes: this.#settle(device, this.#peersOf(plan), options), failed };
    } catch (error) {
      failed.set(`udp ${device.link}`, error);
      for (const name of this.#peersOf(plan).keys()) failed.set(name, error);
      return { changes: [], failed };
    }
  }

  /** The same object for the same plan. */
  #peersOf({ peers }: CarrierPlan): UdpPeers {
    if (peers !== this.#planned.all) {
      const ours = new Map<string, UdpPeer>();
      for (const [name, peer] of peers) if (peer.kind === 'udp') ours.set(name, peer);
      this.#planned = { all: peers, ours };
    }
    return this.#planned.ours;
  }

  #settle(
    device: UdpDevice,
    peers: UdpPeers,
    { thorough, touched }: CarrierOptions,
  ): readonly CarrierChange[] {
    const isNewThread = this.#ensureThread();
    this.#ensureEnds(device, thorough || touched);
    const changes: CarrierChange[] = [];
    // Before the setup: what it carries first finds its way.
    if (isNewThread || peers !== this.#toldPeers) {
      changes.push(...changedPeers(isNewThread ? new Map() : this.#toldPeers, peers));
      this.#thread?.tell({ kind: 'peers', peers: peerWords([...peers.values()]) });
      this.#toldPeers = peers;
    }
    if (isNewThread || this.#hasNewEnd || !isSameDevice(this.#toldDevice, device)) {
      this.#tellSetup(device);
      changes.push({ kind: 'udp', object: device.link });
    }
    this.#isStale = false;
    return changes;
  }

  /** True: it is a new one. */
  #ensureThread(): boolean {
    if (this.#thread !== undefined) return false;
    const { now, startThread, counters } = this.#options;
    if (this.#crash !== undefined && now() < this.#crash.retryAt) throw this.#crash.error;
    this.#startedAt = now();
    const thread = startThread(counters.memory, {
      onNews: (news) => this.#hear(news),
      onCrash: (error) => {
        if (this.#thread === thread) this.#noteCrash(error);
      },
    });
    this.#thread = thread;
    return true;
  }

  #noteCrash(error: Error): void {
    const { now, random = Math.random } = this.#options;
    this.#thread = undefined;
    this.#crashes = now() - this.#startedAt > longLife ? 1 : this.#crashes + 1;
    const delay = backoffDelay(this.#crashes, { ...backoff, random });
    const message = `The thread that carries packets ended: ${errorMessage(error)}`;
    this.#crash = { error: new Error(message, { cause: error }), retryAt: now() + delay };
    this.#isStale = true;
    // Nobody uses them any more.
    this.#release(Number.POSITIVE_INFINITY);
  }

  #hear(news: WorkerNews): void {
    switch (news.kind) {
      case 'in-use':
        this.#release(news.number);
        break;
      case 'device-gone':
        this.#isStale = true;
        break;
      default:
        news satisfies never;
    }
  }

  /** The socket of before stays as long as another cannot be had. */
  #ensureEnds(device: UdpDevice, looks: boolean): void {
    const { kernel } = this.#options;
    if (this.#tun !== undefined && (looks || this.#isStale) && !kernel.isAttached(this.#tun)) {
      this.#retire(this.#tun);
      this.#tun = undefined;
    }
    if (this.#tun === undefined) {
      this.#tun = kernel.openTun(device.link);
      this.#hasNewEnd = true;
    }
    const { address, port } = device;
    const before = this.#socket;
    if (before?.address !== address.toString() || before.port !== port) {
      const { fd, splits } = kernel.openUdp({ address, port });
      this.#socket = { fd, splits, address: address.toString(), port };
      if (before !== undefined) this.#retire(before.fd);
      this.#hasNewEnd = true;
    }
    if (this.#raw === undefined) {
      this.#raw = kernel.openRaw();
      this.#hasNewEnd = true;
    }
  }

  #tellSetup(device: UdpDevice): void {
    const { subnet, network, address, publicIp, port } = device;
    this.#number++;
    this.#thread?.tell({
      kind: 'tunnel',
      tunnel: {
        number: this.#number,
        tun: this.#tun ?? -1,
        udp: this.#socket?.fd ?? -1,
        raw: this.#raw ?? -1,
        splits: this.#socket?.splits ?? false,
        source: subnet.first().bytes,
        place: {
          network: prefixWords(network),
          subnet: prefixWords(subnet),
          ownAddresses: [addressWord(address), addressWord(publicIp)],
          port,
        },
      },
    });
    this.#toldDevice = device;
    this.#hasNewEnd = false;
  }

  #retire(fd: number): void {
    this.#retired.push({ fd, until: this.#number + 1 });
  }

  /** Closes what no setup from that number on has. */
  #release(number: number): void {
    for (const { fd, until } of this.#retired) if (until <= number) this.#options.kernel.close(fd);
    this.#retired = this.#retired.filter(({ until }) => until > number);
  }

  changed(): boolean {
    return this.#isStale && (this.#crash === undefined || this.#options.now() >= this.#crash.retryAt);
  }

  /** The device stays, and so do the routes through it. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.stop();
    this.#release(Number.POSITIVE_INFINITY);
    for (const fd of [this.#tun, this.#socket?.fd, this.#raw]) {
      if (fd !== undefined) this.#options.kernel.close(fd);
    }
    this.#tun = undefined;
    this.#socket = undefined;
    this.#raw = undefined;
    this.#crash = undefined;
    this.#crashes = 0;
    this.#toldDevice = undefined;
    this.#toldPeers = new Map();
    this.#isStale = false;
  }
}

function isSameDevice(one: UdpDevice | undefined, other: UdpDevice): boolean {
  return (
    one !== undefined &&
    one.port === other.port &&
    one.address.equals(other.address) &&
    one.publicIp.equals(other.publicIp) &&
    one.network.equals(other.network) &&
    one.subnet.equals(other.subnet)
  );
}

function changedPeers(before: UdpPeers, now: UdpPeers): readonly CarrierChange[] {
  const names = [
    ...[...before.keys()].filter((name) => !now.has(name)),
    ...[...now].filter(([name, peer]) => before.get(name) !== peer).map(([name]) => name),
  ];
  return names.map((object) => ({ kind: 'udp', object }));
}
