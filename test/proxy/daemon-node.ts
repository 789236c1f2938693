// A node with one running proxy in a namespace of its own, for tests of the daemon: its options, its sources, and what it answers.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { defaultIpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import type { ProxyOptions } from '../../proxy/proxy-options.ts';
import { proxySocketPath } from '../../proxy/proxy-servers.ts';
import type { ProxyStatus } from '../../proxy/proxy-status.ts';
import { createLog, type Log } from '../../runtime/log.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import type { ServiceBatch, ServiceSource } from '../../store/service-source.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

export const silent: Log = createLog({ level: 'silent' });

export interface DaemonNode extends Disposable {
  readonly node: TestNetns;
  readonly directory: string;
  readonly options: ProxyOptions;
  readonly serviceDirectory: string;
  /** Runs `ip -n NODE`. */
  ip(...args: readonly string[]): void;
  /** Runs a program inside; returns what it printed. */
  run(...command: readonly [string, ...string[]]): string;
  status(): Promise<ProxyStatus>;
  metrics(): Promise<string>;
}

/** With eth0 (192.0.2.1, 2001:db8::1), the default routes on it, and nobody at its other end. */
export function daemonNode(more: Partial<ProxyOptions> = {}): DaemonNode {
  const node = testNetns();
  const directory = mkdtempSync(join(tmpdir(), 'netloom-daemon-'));
  const ip = (...args: readonly string[]): void => void execFileSync('ip', ['-n', node.name, ...args]);
  for (const line of [
    'link set lo up',
    'link add eth0 type veth peer name far0',
    'link set far0 up',
    'link set eth0 up',
    'address add 192.0.2.1/24 dev eth0',
    'address add 2001:db8::1/64 dev eth0 nodad',
    'route add default via 192.0.2.254',
    '-6 route add default via 2001:db8::fe dev eth0',
  ])
    ip(...line.split(' '));
  const serviceDirectory = join(directory, 'services');
  const options: ProxyOptions = {
    nodeName: 'n1',
    zone: undefined,
    proxyName: undefined,
    mode: 'nftables',
    families: [4, 6],
    nodeIps: [],
    services: { kind: 'directory', directory: serviceDirectory },
    localDetectors: { 4: { kind: 'none' }, 6: { kind: 'none' } },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    nodePortAddresses: [{ kind: 'primary' }],
    localhostNodePorts: false,
    serviceNetworks: [],
    ipvs: defaultIpvsChoices,
    allowUnsafeEndpoints: false,
    minSyncPeriod: 0,
    syncPeriod: 600_000,
    healthz: { host: '0.0.0.0', port: 10_256 },
    metrics: { host: '127.0.0.1', port: 10_249 },
    bindHardFail: false,
    serviceCounters: true,
    serviceCounterLimit: 10,
    conntrack: {
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: 86_400_000,
      tcpCloseWaitTimeout: 3_600_000,
      udpTimeout: undefined,
      udpStreamTimeout: undefined,
      tcpBeLiberal: false,
    },
    oomScoreAdjust: undefined,
    runDirectory: join(directory, 'run'),
    configuration: { mode: 'nftables' },
    ...more,
  };
  const socketPath = proxySocketPath(options.runDirectory);
  return {
    node,
    directory,
    options,
    serviceDirectory,
    ip,
    run: (...command) =>
      execFileSync('nsenter', [`--net=${node.netns.path}`, '--', ...command], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    // The proxy's own answer, of which `proxyStatus` says the type.
    status: async () => (await unixRequest({ socketPath, path: '/status' })).body as ProxyStatus,
    metrics: async () => String((await unixRequest({ socketPath, path: '/metrics' })).body),
    [Symbol.dispose]() {
      node[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Looks again until it is so; jest's own limit ends it. */
export async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await look())) await setTimeout(10);
}

/** A source that says what it is told to. */
export interface HandSource extends ServiceSource {
  push(batch: Partial<ServiceBatch>): void;
  readonly isClosed: boolean;
}

export function handSource(): HandSource {
  const waiting: ServiceBatch[] = [];
  let wake = (): void => {};
  let isClosed = false;
  return {
    push(batch) {
      waiting.push({
        services: new Map(),
        slices: new Map(),
        problems: [],
        heardAt: performance.now(),
        ...batch,
      });
      wake();
    },
    async *watch(signal) {
      signal.addEventListener('abort', () => wake(), { once: true });
      while (!signal.aborted) {
        const batch = waiting.shift();
        if (batch !== undefined) yield batch;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
    async close() {
      isClosed = true;
    },
    get isClosed() {
      return isClosed;
    },
  };
}
