// A UDP client that keeps its port: to the kernel all that it sends is one flow, as with a resolver or a game.
import { randomBytes } from 'node:crypto';
import type { Netns } from '../../../kernel/netns.ts';
import type { IpAddress } from '../../../net/address.ts';
import { datagramSocket } from '../datagram-socket.ts';

export interface UdpFlow {
  /** Sends a datagram and resolves with the name of the endpoint that answered it. Rejects after `timeout` milliseconds. */
  ask(): Promise<string>;
  close(): void;
}

export function openUdpFlow(options: {
  readonly from: Netns;
  readonly to: IpAddress;
  readonly port: number;
  readonly timeout: number;
}): UdpFlow {
  const { from, to, port, timeout } = options;
  const socket = datagramSocket(to.family);
  const waiting = new Map<string, (name: string) => void>();
  socket.on('message', (message) => {
    const [head = '', nonce = ''] = message.toString().split('\n');
    const sighting: unknown = JSON.parse(head);
    if (typeof sighting === 'object' && sighting !== null && 'name' in sighting)
      waiting.get(nonce)?.(String(sighting.name));
  });
  // What is refused or unreachable shows as silence.
  socket.on('error', () => undefined);
  from.run(() => {
    socket.bind(0);
  });
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        const nonce = randomBytes(8).toString('hex');
        const timer = setTimeout(() => {
          waiting.delete(nonce);
          reject(new Error(`no answer within ${timeout} ms`));
        }, timeout);
        waiting.set(nonce, (name) => {
          clearTimeout(timer);
          waiting.delete(nonce);
          resolve(name);
        });
        socket.send(nonce, port, to.toString(), () => undefined);
      }),
    close: () => socket.close(),
  };
}
