// A proxy for benchmarks: the real daemon in a namespace, with its files and its servers, in our own process. It can be waited for.
import type { Netns } from '../../kernel/netns.ts';
import { defaultIpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import { createModeOpener, type ModeOpener, type ModeOpenerOptions } from '../../proxy/open-mode.ts';
import type { ProxyMode, SyncReport } from '../../proxy/proxy-mode.ts';
import type { ProxyOptions } from '../../proxy/proxy-options.ts';
import { type RunningProxy, startProxy } from '../../proxy/run-proxy.ts';
import { createLog } from '../../runtime/log.ts';
import type { ProxyDirectory } from './proxy-directory.ts';
import { ruleContext } from './proxy-rig.ts';

/** Milliseconds until a sync that does not come is given up. */
const patience = 120_000;
const hour = 3_600_000;

export interface BenchProxy extends AsyncDisposable {
  /** The next sync of which `hoped` is true, and when the kernel had acknowledged it (performance.now()). */
  synced(
    hoped: (report: SyncReport) => boolean,
  ): Promise<{ readonly report: SyncReport; readonly at: number }>;
}

/** Starts it; the first sync comes by itself. */
export async function startBenchProxy(netns: Netns, directory: ProxyDirectory): Promise<BenchProxy> {
  let listeners: ((report: SyncReport) => void)[] = [];
  const proxy: RunningProxy = await startProxy(optionsFor(directory), {
    log: createLog({ level: 'silent' }),
    netns,
    modes: (options) =>
      listenedTo(options, (report) => {
        for (const listener of listeners) listener(report);
      }),
  });
  return {
    synced(hoped) {
      const { promise, resolve, reject } = Promise.withResolvers<{ report: SyncReport; at: number }>();
      const stop = (): void => {
        clearTimeout(timer);
        listeners = listeners.filter((other) => other !== listener);
      };
      const listener = (report: SyncReport): void => {
        const at = performance.now();
        if (!hoped(report)) return;
        stop();
        resolve({ report, at });
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`The proxy did not get there: ${JSON.stringify(proxy.status.blockers)}`));
      }, patience);
      listeners.push(listener);
      return promise;
    },
    [Symbol.asyncDispose]: () => proxy.stop(),
  };
}

/** The real mode, with an ear at the end of each sync. */
function listenedTo(options: ModeOpenerOptions, onSynced: (report: SyncReport) => void): ModeOpener {
  const opener = createModeOpener(options);
  return {
    async open(family) {
      const opened = await opener.open(family);
      const { mode } = opened;
      const heard: ProxyMode = {
        name: mode.name,
        async sync(input, signal) {
          const report = await mode.sync(input, signal);
          onSynced(report);
          return report;
        },
        changed: () => mode.changed(),
        cleanUp: () => mode.cleanUp(),
        close: () => mode.close(),
      };
      return { ...opened, mode: heard };
    },
    close: () => opener.close(),
  };
}

/** The defaults of nftables mode, without ports that another proxy on the machine may have. */
function optionsFor(directory: ProxyDirectory): ProxyOptions {
  return {
    nodeName: 'bench-node',
    zone: undefined,
    proxyName: undefined,
    mode: 'nftables',
    families: [4],
    nodeIps: ruleContext.nodeIps,
    services: { kind: 'directory', directory: directory.services },
    localDetectors: { 4: ruleContext.localDetector, 6: { kind: 'none' } },
    masqueradeAll: false,
    masqueradeMark: ruleContext.masqueradeMark,
    nodePortAddresses: [{ kind: 'all' }],
    localhostNodePorts: false,
    serviceNetworks: [],
    ipvs: defaultIpvsChoices,
    allowUnsafeEndpoints: false,
    minSyncPeriod: 10,
    syncPeriod: hour,
    healthz: undefined,
    metrics: undefined,
    bindHardFail: false,
    serviceCounters: true,
    serviceCounterLimit: 500,
    conntrack: {
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: undefined,
      tcpCloseWaitTimeout: undefined,
      udpTimeout: undefined,
      udpStreamTimeout: undefined,
      tcpBeLiberal: false,
    },
    oomScoreAdjust: undefined,
    runDirectory: directory.run,
    configuration: {},
  };
}
