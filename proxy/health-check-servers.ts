// The servers behind spec.healthCheckNodePort: one port a service, which tells load balancers whether this node has ready endpoints of
// it. Which services have one, and how many endpoints, it is told; what is answered is health-check-body.ts's.
import { createServer, type Server } from 'node:http';
import { bindTcp } from '../kernel/bind-tcp.ts';
import type { Netns } from '../kernel/netns.ts';
import type { IpAddress } from '../net/address.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import { healthCheckAnswer } from './health-check-body.ts';
import type { HealthCheck } from './service-ports-of.ts';

export interface HealthCheckStatus {
  readonly service: string;
  readonly port: number;
  readonly localEndpoints: number;
  readonly listening: boolean;
}

export interface HealthCheckServers {
  /** Opens, closes and updates. A port that could not be had is tried again here. */
  sync(checks: ReadonlyMap<string, HealthCheck>, addresses: 'any' | readonly IpAddress[]): Promise<void>;
  /** By service: why its port does not listen. */
  readonly problems: ReadonlyMap<string, string>;
  readonly status: readonly HealthCheckStatus[];
  close(): Promise<void>;
}

export interface HealthCheckServersOptions {
  readonly netns?: Netns | undefined;
  /** Whether the proxy keeps up (healthz.ts). */
  readonly isHealthy: () => boolean;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

interface OpenCheck {
  check: HealthCheck;
  readonly place: string;
  readonly servers: readonly Server[];
}

export function createHealthCheckServers(options: HealthCheckServersOptions): HealthCheckServers {
  const { netns, isHealthy, log } = options;
  const open = new Map<string, OpenCheck>();
  const problems = new Map<string, string>();
  let wanted: ReadonlyMap<string, HealthCheck> = new Map();
  let turn = Promise.resolve();

  function serverOf(key: string): Server {
    const server = createServer((request, response) => {
      request.resume();
      const check = open.get(key)?.check;
      if (check === undefined) return void response.destroy();
      const { code, headers, body } = healthCheckAnswer({ ...check, proxyHealthy: isHealthy() });
      response.writeHead(code, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
    });
    // Who asks and goes away half way is no concern of ours.
    server.on('clientError', (_, socket) => socket.destroy());
    return server;
  }

  async function start(
    key: string,
    { nodePort: port }: HealthCheck,
    addresses: Addresses,
  ): Promise<readonly Server[]> {
    const servers: Server[] = [];
    try {
      for (const address of addresses === 'any' ? (['any'] as const) : addresses) {
        const descriptor = bindTcp({ address, port, netns });
        const server = serverOf(key);
        await listen(server, descriptor);
        servers.push(server);
      }
      return servers;
    } catch (error) {
      await Promise.all(servers.map(closed));
      throw error;
    }
  }

  async function syncNow(addresses: Addresses): Promise<void> {
    const where = addresses === 'any' ? 'any' : addresses.join(' ');
    const placeOf = ({ nodePort }: HealthCheck): string => `${nodePort} ${where}`;
    // Ports that are given up come first: another service may have taken one over.
    for (const [key, { place, servers, check }] of [...open]) {
      const now = wanted.get(key);
      if (now !== undefined && placeOf(now) === place) continue;
      open.delete(key);
      await Promise.all(servers.map(closed));
      log.info({ service: key, port: check.nodePort }, 'health check port closed');
    }
    for (const key of [...problems.keys()]) if (!wanted.has(key)) problems.delete(key);
    for (const [key, check] of wanted) {
      const known = open.get(key);
      if (known !== undefined) {
        known.check = check;
        continue;
      }
      try {
        const servers = await start(key, check, addresses);
        open.set(key, { check, place: placeOf(check), servers });
        problems.delete(key);
        log.info({ service: key, port: check.nodePort }, 'health check port opened');
      } catch (error) {
        const message = `Cannot serve health check port ${check.nodePort} of service "${key}": ${errorMessage(error)}`;
        if (problems.get(key) !== message) log.warn({ service: key }, message);
        problems.set(key, message);
      }
    }
  }

  return {
    sync(checks, addresses) {
      wanted = checks;
      turn = turn.then(() => syncNow(addresses));
      return turn;
    },
    problems,
    get status() {
      return [...wanted].map(([service, { nodePort, localEndpoints }]) => ({
        service,
        port: nodePort,
        localEndpoints,
        listening: open.has(service),
      }));
    },
    async close() {
      wanted = new Map();
      turn = turn.then(() => syncNow('any'));
      await turn;
    },
  };
}

type Addresses = 'any' | readonly IpAddress[];

/** Takes the descriptor over. */
function listen(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
