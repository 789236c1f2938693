// What runs in the pods of the path's benchmark, each as a process of its own: what answers, what counts, what sends and looks at the
// clock. One thread, no event loop; it knows addresses, and nothing of what is between them.
import { randomInt } from 'node:crypto';
import { type BlockingSocket, connectTcp, openUdp, serveTcp } from '../../../kernel/blocking-socket.ts';
import { KernelError } from '../../../kernel/kernel-error.ts';
import type { IpAddress } from '../../../net/address.ts';
import { percentile99 } from '../compare-in-turn.ts';
import { median } from '../paired.ts';
import { FlowWindow } from './flow-window.ts';

export interface Ends {
  readonly own: IpAddress;
  readonly peer: IpAddress;
}

export interface Sending extends Ends {
  readonly protocol: 'tcp' | 'udp';
  /** Bytes of a whole IP packet. */
  readonly size: number;
  readonly seconds: number;
}

/** IPv4 and UDP header; IPv4 and TCP header with the timestamps that Linux sends. */
export const headers = { udp: 28, tcp: 52 } as const;

const ports = { echo: 7, sink: 9, client: 7009 } as const;
const largest = 65_536;

/** Fewer than any queue on the way holds: a TUN device takes 500. */
const windowSize = 256;
const heardEvery = 32;
/** Milliseconds after which a datagram counts as lost; TCP sends it again by then, and is given up later. */
const patience = 200;
const streamPatience = 5000;

/** Sends back all that comes. It only ends by an error. */
export function answer(protocol: Sending['protocol'], { own, peer }: Ends, onReady: () => void): void {
  const buffer = Buffer.alloc(largest);
  if (protocol === 'tcp') {
    serveTcp({ address: own, port: ports.echo }, { onReady, serve: sendBack });
  }
  using socket = openUdp({
    own: { address: own, port: ports.echo },
    peer: { address: peer, port: ports.client },
  });
  onReady();
  for (;;) passRefusal(() => sendOneBack(socket, buffer));

  function sendBack(stream: BlockingSocket): void {
    // Who went in the middle of a word is no failure.
    passRefusal(() => {
      while (sendOneBack(stream, buffer));
    });
  }
}

/** False at the end of a stream. */
function sendOneBack(socket: BlockingSocket, buffer: Buffer): boolean {
  const size = socket.receive(buffer) ?? 0;
  if (size > 0) socket.send(buffer.subarray(0, size));
  return size > 0;
}

/** The other side is gone, or not there yet. */
function passRefusal(action: () => void): void {
  try {
    action();
  } catch (error) {
    const isGone =
      error instanceof KernelError && ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code);
    if (!isGone) throw error;
  }
}

/** Where a packet of a flow has what. */
const fields = { flow: 0, number: 4, isLast: 8, end: 9 } as const;

/** Counts what comes, and says so now and then. It only ends by an error. */
export function count({ own, peer }: Ends, onReady: () => void): void {
  using socket = openUdp({
    own: { address: own, port: ports.sink },
    peer: { address: peer, port: ports.client },
  });
  const packet = Buffer.alloc(largest);
  const word = Buffer.alloc(12);
  let flow = -1;
  let upTo = 0;
  let received = 0;
  onReady();
  for (;;) passRefusal(countOne);

  function countOne(): void {
    const size = socket.receive(packet) ?? 0;
    if (size < fields.end) return;
    const named = packet.readUInt32LE(fields.flow);
    if (named !== flow) {
      flow = named;
      upTo = 0;
      received = 0;
    }
    upTo = Math.max(upTo, packet.readUInt32LE(fields.number) + 1);
    received++;
    if (received % heardEvery !== 0 && packet[fields.isLast] === 0) return;
    word.writeUInt32LE(flow, 0);
    word.writeUInt32LE(upTo, 4);
    word.writeUInt32LE(received, 8);
    socket.send(word);
  }
}

export interface FlowReport {
  readonly received: number;
  readonly lost: number;
  /** From the first packet that was sent to the last word of it. */
  readonly milliseconds: number;
}

/** Sends as fast as it is heard at the other end. Throws when nothing came at all. */
export function flow({ own, peer, size, seconds }: Sending): FlowReport {
  using socket = openUdp(
    { own: { address: own, port: ports.client }, peer: { address: peer, port: ports.sink } },
    { patience },
  );
  const packet = Buffer.alloc(size - headers.udp);
  const name = randomInt(2 ** 32);
  packet.writeUInt32LE(name, fields.flow);
  const word = Buffer.alloc(largest);
  const window = new FlowWindow(windowSize);
  const hear = (length: number | undefined): boolean => {
    if (length === undefined) return false;
    // A word about an earlier flow may be late.
    if (length === 12 && word.readUInt32LE(0) === name)
      window.hear({ upTo: word.readUInt32LE(4), received: word.readUInt32LE(8) });
    return true;
  };
  const send = (isLast: boolean): void => {
    packet.writeUInt32LE(window.next(), fields.number);
    packet[fields.isLast] = isLast ? 1 : 0;
    socket.send(packet);
  };
  const start = performance.now();
  let heardAt = start;
  for (const end = start + seconds * 1000; performance.now() < end; ) {
    for (let i = 0; i < heardEvery / 2 && window.isOpen; i++) send(false);
    while (hear(socket.poll(word)));
    if (!window.isOpen && !hear(socket.receive(word))) window.giveUp();
    else heardAt = performance.now();
  }
  send(true);
  while (!window.isEmpty && hear(socket.receive(word))) heardAt = performance.now();
  const { received, lost } = window;
  if (received === 0) throw new Error(`Cannot measure: none of ${lost} packets to "${peer}" was heard of`);
  return { received, lost, milliseconds: heardAt - start };
}

export interface PingReport {
  readonly answered: number;
  readonly lost: number;
  /** Microseconds there and back. */
  readonly median: number;
  readonly p99: number;
}

/** One packet there and back after the other. Throws when none came back. */
export function ping({ protocol, own, peer, size, seconds }: Sending): PingReport {
  const echo = { address: peer, port: ports.echo };
  using socket =
    protocol === 'tcp'
      ? connectTcp(echo, { patience: streamPatience })
      : openUdp({ own: { address: own, port: ports.client }, peer: echo }, { patience });
  const packet = Buffer.alloc(size - headers[protocol]);
  const back = Buffer.alloc(largest);
  const times: number[] = [];
  let lost = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    packet.writeUInt32LE(times.length + lost);
    const start = performance.now();
    socket.send(packet);
    if (comesBack(socket, { protocol, packet, back })) times.push((performance.now() - start) * 1000);
    else lost++;
  }
  if (times.length === 0) throw new Error(`Cannot measure: no packet came back from "${peer}"`);
  return { answered: times.length, lost, median: median(times), p99: percentile99(times) };
}

function comesBack(
  socket: BlockingSocket,
  {
    protocol,
    packet,
    back,
  }: { readonly protocol: Sending['protocol']; readonly packet: Buffer; readonly back: Buffer },
): boolean {
  for (let got = 0; got < packet.length; ) {
    const size = socket.receive(back);
    if (protocol === 'tcp' && (size === undefined || size === 0))
      throw new Error('Cannot measure: the connection fell silent');
    if (size === undefined) return false;
    // An answer that came too late is not this one's.
    if (protocol === 'udp' && back.readUInt32LE() !== packet.readUInt32LE()) continue;
    got += size;
  }
  return true;
}
