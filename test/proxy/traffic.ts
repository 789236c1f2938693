// Connections to services for tests under traffic: many, one after the other, and one that lasts. Who answers them is real-packet.ts.
import { connect, createServer, type LookupFunction, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Netns } from '../../kernel/netns.ts';
import { IpAddress } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { parseRow } from './packet-row.ts';
import type { RealNode } from './real-node.ts';
import { sendPacket } from './real-packet.ts';

/** Milliseconds until a connection counts as failed. */
const patience = 15_000;

/** The endpoint that answered a packet, "10.180.0.1:8080"; else "refused" or "silence". `packet`: the left side of a row. */
export async function askOnce(world: RealNode, packet: string): Promise<string> {
  const { packet: parsed } = parseRow(`${packet} -> none`);
  const seen = await sendPacket(parsed, { netns: world.holder(parsed.source), patience });
  return seen.kind === 'answer' ? seen.sighting.at : seen.kind;
}

/** `packets` at once in so many lanes; answers in their order. */
export async function askMany(
  world: RealNode,
  packets: readonly string[],
  { lanes = 64 }: { readonly lanes?: number } = {},
): Promise<readonly string[]> {
  const answers: string[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < packets.length; at = next++)
      answers[at] = await askOnce(world, packets[at] ?? '').catch(errorMessage);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return answers;
}

/** Asks all the time until `during` is over. */
export async function askMeanwhile(
  world: RealNode,
  packet: string,
  during: () => Promise<void>,
): Promise<readonly string[]> {
  const answers: string[] = [];
  let over = false;
  const lane = async (): Promise<void> => {
    while (!over) answers.push(await askOnce(world, packet).catch(errorMessage));
  };
  const lanes = Array.from({ length: 8 }, lane);
  try {
    await during();
  } finally {
    over = true;
    await Promise.all(lanes);
  }
  return answers;
}

/**
 * Pearson's statistic of counts that should be equal. With three degrees of freedom (four kinds) it is above 33 once in three
 * million times.
 */
export function chiSquare(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
}

/** Sends back what it is sent, on a port of a namespace. */
export function openEcho(netns: Netns, port: number): Promise<() => void> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () =>
      resolve(() => {
        for (const socket of open) socket.destroy();
        server.close();
      }),
    );
    netns.run(() => server.listen(port));
  });
}

/** Sends chunks over one connection to an echo until `during` is over. Bytes sent and received, and the error that ended it. */
export async function echoMeanwhile(
  to: { readonly from: Netns; readonly address: string; readonly port: number },
  during: () => Promise<void>,
): Promise<{ readonly sent: number; readonly received: number; readonly error: string | undefined }> {
  const address = IpAddress.parse(to.address);
  const lookup: LookupFunction = (_, __, done) => done(null, to.address, address.family);
  const socket = to.from.run(() =>
    connect({ host: 'endpoint', port: to.port, family: address.family, lookup }),
  );
  let sent = 0;
  let received = 0;
  let error: string | undefined;
  let over = false;
  socket.on('data', (data) => {
    received += data.length;
  });
  socket.on('error', (one) => {
    error = errorMessage(one);
  });
  const chunk = Buffer.alloc(4096, 'netloom');
  const sending = (async () => {
    while (!over && error === undefined) {
      socket.write(chunk);
      sent += chunk.length;
      await sleep(2);
    }
  })();
  try {
    await during();
  } finally {
    over = true;
    await sending;
  }
  const deadline = performance.now() + patience;
  while (received < sent && error === undefined && performance.now() < deadline) await sleep(5);
  socket.destroy();
  return { sent, received, error };
}
