// One TCP connection to an echo, asked now and then whether it still lives. One under load is echoMeanwhile (traffic.ts).
import { once } from 'node:events';
import { connect, type LookupFunction } from 'node:net';
import type { Netns } from '../../kernel/netns.ts';
import { IpAddress } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';

/** Milliseconds until an answer counts as lost. */
const patience = 8000;

export interface LastingConnection {
  /** Sends a few bytes; true when they come back. */
  lives(): Promise<boolean>;
  /** Ends it by a reset: who tracks connections forgets it within seconds, not minutes. */
  reset(): void;
}

/** Rejects when there is no connection. */
export async function lastingConnection(to: {
  readonly from: Netns;
  readonly address: string;
  readonly port: number;
}): Promise<LastingConnection> {
  const { family } = IpAddress.parse(to.address);
  const lookup: LookupFunction = (_, __, done) => done(null, to.address, family);
  const socket = to.from.run(() => connect({ host: 'endpoint', port: to.port, family, lookup }));
  let error: string | undefined;
  let received = 0;
  let sent = 0;
  let wake = (): void => undefined;
  socket.on('data', (data) => {
    received += data.length;
    wake();
  });
  socket.on('error', (one) => {
    error = errorMessage(one);
    wake();
  });
  await once(socket, 'connect', { signal: AbortSignal.timeout(patience) });
  return {
    async lives() {
      sent += 5;
      socket.write('alive');
      const deadline = performance.now() + patience;
      while (received < sent && error === undefined && performance.now() < deadline)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 50);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      return received === sent;
    },
    reset: () => void socket.resetAndDestroy(),
  };
}
