// Makes an HTTP server listen at a place of a namespace, now or as soon as the place is free. It knows nothing of what is served.
import { lookup } from 'node:dns/promises';
import { bindTcp } from '../kernel/bind-tcp.ts';
import type { Netns } from '../kernel/netns.ts';
import { IpAddress } from '../net/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { HttpServer } from '../runtime/http.ts';
import type { Logger } from '../runtime/log.ts';
import type { HostPort } from './proxy-options.ts';

/** As kube-proxy's. */
const retryInterval = 5000;

export interface KeepListeningOptions {
  /** For the log: "healthz". */
  readonly name: string;
  readonly place: HostPort;
  readonly netns?: Netns | undefined;
  /** Reject at once instead of trying again. */
  readonly hardFail: boolean;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export interface Listening {
  /** Why it does not listen yet; undefined when it does. */
  readonly problem: string | undefined;
  /** Ends the server, or the trying. */
  close(): Promise<void>;
}

/** Resolves after the first try. An unspecified address means both families, as it does for Go's programs. */
export async function keepListening(server: HttpServer, options: KeepListeningOptions): Promise<Listening> {
  const { name, place, netns, hardFail, clock, log } = options;
  const at = `${place.host}:${place.port}`;
  let problem: string | undefined;
  let cancelTimer = (): void => {};
  let closed = false;
  let trying = Promise.resolve();

  async function attempt(): Promise<void> {
    const address = await resolved(place.host);
    const listening = await server.listenOn(bindTcp({ address, port: place.port, netns }));
    problem = undefined;
    log.info({ server: name, ...listening }, 'listening');
  }

  function tryLater(error: unknown): void {
    const message = `Cannot serve ${name} on "${at}": ${errorMessage(error)}`;
    if (message !== problem) log.warn({ server: name }, `${message}; it is tried again every 5 s`);
    problem = message;
    cancelTimer = clock.setTimer(retryInterval, () => {
      if (!closed) trying = attempt().catch(tryLater);
    });
  }

  try {
    await attempt();
  } catch (cause) {
    if (hardFail) {
      await server.close();
      throw new Error(`Cannot serve ${name} on "${at}": ${errorMessage(cause)}`, { cause });
    }
    tryLater(cause);
  }
  return {
    get problem() {
      return problem;
    },
    async close() {
      closed = true;
      cancelTimer();
      await trying;
      cancelTimer();
      await server.close();
    },
  };
}

async function resolved(host: string): Promise<IpAddress | 'any'> {
  const address = IpAddress.tryParse(host) ?? IpAddress.parse((await lookup(host)).address);
  return address.isUnspecified ? 'any' : address;
}
