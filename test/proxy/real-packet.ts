// Sends one packet of the table for real and says what became of it: the first of a TCP connection or a datagram, with the answer of
// whoever it reached. Responders are here too; which of them there must be follows from rows.
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type LookupFunction, type Server } from 'node:net';
import type { Netns } from '../../kernel/netns.ts';
import { IpAddress } from '../../net/address.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { endpointText, type PacketRow, type TestPacket } from './packet-row.ts';
import type { RealNode } from './real-node.ts';

/** What an answer says: at which address it was given, and whom it saw. */
export interface Sighting {
  readonly at: string;
  readonly saw: IpAddress;
}

export type Seen =
  | { readonly kind: 'answer'; readonly sighting: Sighting }
  | { readonly kind: 'refused' }
  | { readonly kind: 'silence' };

interface Place {
  readonly address: IpAddress;
  readonly port: number;
}

/** Opens what answers, once for each place that rows lead to. Returns how to close all. */
export async function openResponders(rows: readonly PacketRow[], world: RealNode): Promise<() => void> {
  const tcp = new Map<string, { readonly netns: Netns; readonly port: number }>();
  const udp = new Map<string, Place>();
  for (const row of rows) {
    for (const place of destinations(row)) {
      const netns = world.holder(place.address);
      if (row.packet.protocol === 'tcp') tcp.set(`${netns.path} ${place.port}`, { netns, port: place.port });
      if (row.packet.protocol === 'udp') udp.set(endpointText(place.address, place.port), place);
    }
  }
  const opened = [
    ...[...tcp.values()].map(tcpResponder),
    ...[...udp.values()].map((place) => udpResponder(place, world.holder(place.address))),
  ];
  await Promise.all(opened.map(({ ready }) => ready));
  return () => {
    for (const { socket } of opened) socket.close();
  };
}

function destinations({ packet, outcomes }: PacketRow): readonly Place[] {
  return outcomes.flatMap((outcome) => {
    if (outcome === 'none') return [{ address: packet.destination, port: packet.port }];
    const at = outcome.replace(' masq', '');
    const colon = at.lastIndexOf(':');
    const address = IpAddress.tryParse(at.slice(0, Math.max(colon, 0)).replace(/^\[|\]$/g, ''));
    return address === undefined ? [] : [{ address, port: Number(at.slice(colon + 1)) }];
  });
}

interface Responder {
  readonly socket: Server | Socket;
  readonly ready: Promise<void>;
}

function responder(socket: Server | Socket, open: () => void): Responder {
  // A datagram socket says so within the call.
  const ready = new Promise<void>((resolve, reject) => {
    socket.once('listening', () => resolve());
    socket.once('error', reject);
  });
  open();
  return { socket, ready };
}

function tcpResponder({ netns, port }: { readonly netns: Netns; readonly port: number }): Responder {
  const server = createServer((socket) => {
    const { localAddress = '', localPort = 0, remoteAddress = '' } = socket;
    socket.on('error', () => undefined);
    socket.end(
      JSON.stringify({ at: endpointText(plain(localAddress), localPort), saw: plain(remoteAddress) }),
    );
  });
  return responder(server, () => netns.run(() => server.listen({ port, backlog: 512 })));
}

function udpResponder({ address, port }: Place, netns: Netns): Responder {
  const socket = datagrams(address);
  socket.on('message', (_, from) => {
    const text = JSON.stringify({ at: endpointText(address, port), saw: plain(from.address) });
    socket.send(text, from.port, from.address);
  });
  socket.on('error', () => undefined);
  return responder(socket, () => netns.run(() => socket.bind(port, address.toString())));
}

/** Its addresses are never looked up: it binds and connects within the call, in the namespace that the caller has entered. */
function datagrams({ family }: IpAddress): Socket {
  return createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    lookup: (address, _, done) => done(null, address, family),
  });
}

/** A socket for both families writes IPv4 addresses as "::ffff:10.244.1.2". */
function plain(text: string): IpAddress {
  return IpAddress.parse(text.replace(/^::ffff:/, ''));
}

function parseSighting(text: string): Sighting {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('at' in value) || !('saw' in value))
    throw new SyntaxError(`Cannot read the answer "${text}"`);
  return { at: String(value.at), saw: IpAddress.parse(String(value.saw)) };
}

/** `patience`: milliseconds until nothing is taken for an answer. `netns`: where the packet's sender is. */
export function sendPacket(
  packet: TestPacket,
  options: { readonly netns: Netns; readonly patience: number },
): Promise<Seen> {
  return packet.protocol === 'tcp' ? sendTcp(packet, options) : sendUdp(packet, options);
}

function sendTcp(
  { source, destination, port }: TestPacket,
  { netns, patience }: { readonly netns: Netns; readonly patience: number },
): Promise<Seen> {
  const { family } = destination;
  const lookup: LookupFunction = (_, __, done) => done(null, destination.toString(), family);
  return new Promise((resolve, reject) => {
    const socket = netns.run(() =>
      connect({ host: 'endpoint', port, family, lookup, localAddress: source.toString() }),
    );
    let text = '';
    const finish = (seen: Seen): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(seen);
    };
    const timer = setTimeout(() => finish({ kind: 'silence' }), patience);
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.on('end', () => finish({ kind: 'answer', sighting: parseSighting(text) }));
    socket.on('error', (error) => {
      if (errorCode(error) === 'ECONNREFUSED') finish({ kind: 'refused' });
      else {
        clearTimeout(timer);
        reject(error);
      }
    });
  });
}

function sendUdp(
  { source, destination, port }: TestPacket,
  { netns, patience }: { readonly netns: Netns; readonly patience: number },
): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const socket = datagrams(destination);
    const finish = (seen: Seen): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      resolve(seen);
    };
    const timer = setTimeout(() => finish({ kind: 'silence' }), patience);
    socket.on('message', (message) =>
      finish({ kind: 'answer', sighting: parseSighting(message.toString()) }),
    );
    socket.on('error', (error) => {
      // What rules of the sender's own node take away is EPERM here; ECONNREFUSED follows where they refuse it.
      if (errorCode(error) === 'ECONNREFUSED') finish({ kind: 'refused' });
      else if (errorCode(error) !== 'EPERM') reject(error);
    });
    socket.on('connect', () => socket.send('who are you', () => undefined));
    netns.run(() => {
      socket.bind(0, source.toString());
      socket.connect(port, destination.toString());
    });
  });
}
