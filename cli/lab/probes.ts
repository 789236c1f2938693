// One connection or datagram from a namespace to an endpoint of a lab, and what came back. Sockets are opened inside the
// namespace by our own process: no program is started. What the answers mean is check.ts's business.
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { Netns } from '../../kernel/netns.ts';
import type { IpAddress } from '../../net/address.ts';
import { datagramSocket } from './datagram-socket.ts';

export interface ProbeOptions {
  readonly from: Netns;
  readonly to: IpAddress;
  readonly port: number;
  /** Milliseconds for the whole probe. */
  readonly timeout: number;
}

/** The endpoint that answered, and the source address that it saw. */
export interface Sighted {
  readonly name: string;
  readonly saw: string;
}

/** A connection made inside of a namespace. Giving the address through a lookup makes Node connect within the call. */
function connectFrom({ from, to, port }: ProbeOptions): Socket {
  const lookup: LookupFunction = (_, __, done) => done(null, to.toString(), to.family);
  return from.run(() => connect({ host: 'endpoint', port, family: to.family, lookup }));
}

/** Asks an endpoint over TCP. Throws Error ("ECONNREFUSED", "ETIMEDOUT" …) when there is no answer. */
export async function probeTcp(options: ProbeOptions): Promise<Sighted> {
  return parseSighted(await exchange(options, { method: 'GET', path: '/' }));
}

/** Sends bytes over TCP and returns what the endpoint sends back. */
export function probeTransfer(options: ProbeOptions & { readonly bytes: Buffer }): Promise<Buffer> {
  return exchange(options, { method: 'POST', path: '/echo', body: options.bytes });
}

function exchange(
  options: ProbeOptions,
  message: { readonly method: string; readonly path: string; readonly body?: Buffer },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => connectFrom(options),
      method: message.method,
      path: message.path,
      headers: {
        host: options.to.family === 4 ? `${options.to}` : `[${options.to}]`,
        connection: 'close',
        'content-length': message.body?.length ?? 0,
      },
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer within ${options.timeout} ms`)),
      options.timeout,
    );
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks)));
    });
    request.on('close', () => clearTimeout(timer));
    request.end(message.body);
  });
}

/** Asks an endpoint over UDP, again after a third of the time: a datagram may get lost. */
export function probeUdp(options: ProbeOptions): Promise<Sighted> {
  const { from, to, port, timeout } = options;
  const nonce = randomBytes(16).toString('hex');
  const socket = datagramSocket(to.family);
  const closed = new Promise<Sighted>((resolve, reject) => {
    const send = (): void =>
      socket.send(nonce, port, to.toString(), (error) => error === null || fail(error));
    const timers = [
      setInterval(send, timeout / 3),
      setTimeout(() => fail(new Error(`no answer within ${timeout} ms`)), timeout),
    ];
    const finish = (settle: () => void): void => {
      timers.forEach(clearTimeout);
      socket.removeAllListeners();
      socket.close();
      settle();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    socket.on('error', fail);
    socket.on('message', (message, sender) => {
      const [head = '', rest] = message.toString().split('\n');
      if (rest !== nonce || sender.address !== to.toString()) return;
      finish(() => resolve(parseSighted(Buffer.from(head))));
    });
    from.run(() => {
      socket.bind(0);
    });
    send();
  });
  return closed;
}

function parseSighted(bytes: Buffer): Sighted {
  const value: unknown = JSON.parse(bytes.toString());
  if (typeof value === 'object' && value !== null && 'name' in value && 'saw' in value) {
    return { name: String(value.name), saw: String(value.saw) };
  }
  throw new SyntaxError(`Cannot read the endpoint's answer "${bytes.toString('utf8', 0, 80)}"`);
}
