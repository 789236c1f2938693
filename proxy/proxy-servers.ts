// The servers of a running proxy: its unix socket for our own commands, and over TCP what kube-proxy serves. They are told what to say.
import { join } from 'node:path';
import type { Netns } from '../kernel/netns.ts';
import type { Clock } from '../runtime/clock.ts';
import { createHttpServer } from '../runtime/http.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { ProxyHealth } from './healthz.ts';
import { createHealthzServer, type HealthzServerOptions } from './healthz-server.ts';
import { keepListening, type Listening } from './keep-listening.ts';
import { createMetricsServer } from './metrics-server.ts';
import type { HostPort, ProxyOptions } from './proxy-options.ts';
import type { ProxyStatus } from './proxy-status.ts';

/** The proxy's socket below its run directory. */
export function proxySocketPath(runDirectory: string): string {
  return join(runDirectory, 'proxy.sock');
}

export interface ProxyServersOptions {
  readonly options: ProxyOptions;
  readonly netns?: Netns | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly health: ProxyHealth;
  readonly onHealthAnswer: HealthzServerOptions['onAnswer'] & {};
  readonly status: () => ProxyStatus;
}

export interface ProxyServers {
  /** Why a port could not be had yet. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/** Rejects when the unix socket cannot be had, or a port, where that is to end the program. */
export async function openProxyServers(input: ProxyServersOptions): Promise<ProxyServers> {
  const { options, netns, clock, metrics, health, status } = input;
  const log = input.log.component('http');
  const listening: Listening[] = [];
  const unix = createHttpServer({
    log,
    metrics,
    health: () => [{ name: 'proxy', ok: health.isHealthy() }],
    ready() {
      const { ready, blockers } = status();
      return [{ name: 'proxy', ok: ready, ...(ready ? {} : { detail: blockers.join('; ') }) }];
    },
    routes: (app) => void app.get('/status', async () => status()),
  });
  const close = async (): Promise<void> => {
    await Promise.all([unix.close(), ...listening.map((one) => one.close())]);
  };
  const keep = async (
    name: string,
    place: HostPort | undefined,
    server: () => ReturnType<typeof createHttpServer>,
  ): Promise<void> => {
    if (place === undefined) return;
    const { bindHardFail: hardFail } = options;
    listening.push(await keepListening(server(), { name, place, netns, hardFail, clock, log }));
  };
  try {
    await unix.listenUnix(proxySocketPath(options.runDirectory));
    await keep('healthz', options.healthz, () =>
      createHealthzServer({ log, health, onAnswer: input.onHealthAnswer }),
    );
    await keep('metrics', options.metrics, () => createMetricsServer({ log, metrics, options }));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    get problems() {
      return listening.flatMap(({ problem }) => problem ?? []);
    },
    close,
  };
}
