// A relay on loopback between a store's server and those who read it: counts connections, requests and bytes both ways, and can go away
// for a while, as a server does that is restarted. It changes nothing of what is said.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type RequestCounter, requestCounters, type WireProtocol } from './request-count.ts';

export interface Traffic {
  readonly connections: number;
  /** Requests that began: of HTTP/1.1, or streams of HTTP/2. */
  readonly requests: number;
  /** Bytes from the readers to the server. */
  readonly up: number;
  readonly down: number;
}

export interface RelayOptions {
  /** Of the server, on loopback. */
  readonly port: number;
  readonly protocol: WireProtocol;
}

export class Relay implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #connections = 0;
  #requests = 0;
  #up = 0;
  #down = 0;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#server = createServer((near) => this.#join(near));
  }

  static async start(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    await relay.comeBack();
    return relay;
  }

  get port(): number {
    return this.#port;
  }

  /** Since the start. */
  get traffic(): Traffic {
    return { connections: this.#connections, requests: this.#requests, up: this.#up, down: this.#down };
  }

  /** Breaks all connections off; further ones are refused. */
  async goAway(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Listens again, on the port that it had. */
  async comeBack(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1', 4096);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null)
      throw new Error('Cannot relay: the socket has no port');
    this.#port = address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goAway();
  }

  #join(near: Socket): void {
    this.#connections++;
    const far = connect(this.#options.port, '127.0.0.1');
    const counter: RequestCounter = requestCounters[this.#options.protocol]();
    near.on('data', (chunk: Buffer) => {
      this.#up += chunk.length;
      this.#requests += counter(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      this.#down += chunk.length;
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}

/** What was said between two looks. */
export function trafficBetween(before: Traffic, after: Traffic): Traffic {
  return {
    connections: after.connections - before.connections,
    requests: after.requests - before.requests,
    up: after.up - before.up,
    down: after.down - before.down,
  };
}
