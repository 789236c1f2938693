// The sockets that answer for one endpoint of a lab (a pod, a node, the internet): HTTP and UDP on one port, in its
// namespace. They say who they are and whom they saw.
import type { Socket } from 'node:dgram';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Netns } from '../../kernel/netns.ts';
import { IpAddress } from '../../net/address.ts';
import { datagramSocket } from './datagram-socket.ts';

/** What an endpoint answers to `GET /` and to a datagram. */
export interface Sighting {
  /** The endpoint's own name. */
  readonly name: string;
  /** The source address that it saw. */
  readonly saw: string;
  readonly port: number;
}

export interface EndpointSockets {
  /** Goes on answering, and resolves when nobody has had a connection for a while; after a few seconds in any case. */
  drain(): Promise<void>;
  close(): void;
}

/** Milliseconds. As a pod's grace period: until services send elsewhere, however slow this machine is just now. */
const quiet = 250;
const longestDrain = 5000;

/**
 * Opens the sockets in the namespace at path `netns`. `GET /` answers a Sighting as JSON, `POST /echo` what it is sent; a
 * datagram is answered with a Sighting and its own bytes.
 */
export async function openEndpoint(endpoint: {
  readonly name: string;
  readonly netns: string;
  readonly port: number;
  /** Addresses that datagrams are answered from, a socket each. The unspecified one of a family leaves the choice to the kernel. */
  readonly datagrams?: readonly string[];
}): Promise<EndpointSockets> {
  const { datagrams = ['0.0.0.0'] } = endpoint;
  using netns = Netns.open(endpoint.netns);
  const http = createServer((request, response) => answer(endpoint.name, { request, response }));
  const bindings = datagrams.map((text) => {
    const address = IpAddress.parse(text);
    return { address, udp: datagramSocket(address.family) };
  });
  for (const { udp } of bindings)
    udp.on('message', (message, from) => {
      const sighting: Sighting = { name: endpoint.name, saw: from.address, port: from.port };
      udp.send(
        Buffer.concat([Buffer.from(`${JSON.stringify(sighting)}\n`), message]),
        from.port,
        from.address,
      );
    });
  let lastSeen = 0;
  http.on('connection', (socket) => {
    lastSeen = performance.now();
    socket.once('close', () => {
      lastSeen = performance.now();
    });
  });
  const drain = async (): Promise<void> => {
    const begun = performance.now();
    const end = begun + longestDrain;
    for (;;) {
      const wait = Math.max(begun, lastSeen) + quiet - performance.now();
      if (wait <= 0 || performance.now() > end) return;
      await sleep(wait);
    }
  };
  const listening = [http, ...bindings.map(({ udp }) => udp)].map(listeningOf);
  const close = (): void => {
    http.closeAllConnections();
    http.close();
    for (const { udp } of bindings) udp.close();
  };
  netns.run(() => {
    // Node opens and binds the socket within the call, as long as there is no host to look up.
    http.listen(endpoint.port);
    for (const { udp, address } of bindings) udp.bind(endpoint.port, address.toString());
  });
  try {
    await Promise.all(listening);
  } catch (error) {
    close();
    throw error;
  }
  return { drain, close };
}

function listeningOf(socket: Server | Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('listening', () => resolve());
    socket.once('error', reject);
  });
}

function answer(
  name: string,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): void {
  if (request.method === 'POST' && request.url === '/echo') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    request.pipe(response);
    return;
  }
  request.resume();
  const { remoteAddress = '', remotePort = 0 } = request.socket;
  // A socket that listens for both families writes IPv4 addresses as "::ffff:10.244.1.2".
  const sighting: Sighting = { name, saw: remoteAddress.replace(/^::ffff:/, ''), port: remotePort };
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(sighting)}\n`);
}
