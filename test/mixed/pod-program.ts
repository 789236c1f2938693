// What runs in a pod of these tests, as a process of its own in the pod's namespace: traffic to another pod whose every packet is counted.
// It imports nothing of ours, is told what to do by lines on standard input, and answers in lines of JSON.
//   exchange OWN PEER RATE   numbered datagrams and a TCP stream to the peer, and from it, at the same time
//   dial OWN TO RATE         datagrams to an address, each from a socket of its own: each is a new flow to masquerade
//   listen OWN               counts datagrams by their source address
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const udpPort = 7000;
const tcpPort = 7001;
/** Behind, because it did not run for a while, it catches up slowly: a burst would overrun the other's buffer. */
const largestBurst = 8;
const chunk = 512;

const [role = '', own = '', peer = '', rateText = '1000'] = process.argv.slice(2);
const rate = Number(rateText);
const stopping: (() => void)[] = [];
let reports: () => object = () => ({});

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Calls so often a second; a call says whether there is more to come. */
function paced(send: () => void): () => void {
  const start = performance.now();
  let sent = 0;
  let missed = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) * rate) / 1000) - missed;
    const now = Math.min(due - sent, largestBurst);
    for (let i = 0; i < now; i++) send();
    sent += Math.max(now, 0);
    // What is too late is not sent at all, nor counted.
    missed += Math.max(due - sent, 0);
  }, 1);
  return () => clearInterval(timer);
}

/** Datagrams of this namespace that came, and found no room with the program that they were for. */
function dropsHere(): number {
  const lines = readFileSync('/proc/self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Udp: '));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  return Number(values[names.indexOf('RcvbufErrors')]);
}

function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.removeAllListeners('error');
      // A port that is closed for a moment, an address without a way: what was sent is lost, and counted by who waits for it.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

async function exchange(): Promise<void> {
  const socket = await bound(own, udpPort);
  const seen = new Set<number>();
  let twice = 0;
  let sent = 0;
  let isHeard = false;
  let isFlowing = false;
  const tcp = { sent: 0, received: 0, problem: '' };

  const begin = (): void => {
    if (isFlowing) return;
    isFlowing = true;
    clearInterval(probing);
    const packet = Buffer.alloc(64);
    packet[0] = 2;
    stopping.push(
      paced(() => {
        const numbered = Buffer.from(packet);
        numbered.writeUInt32BE(sent++, 4);
        socket.send(numbered, udpPort, peer);
      }),
    );
    stream();
    say({ event: 'flowing' });
  };
  socket.on('message', (message) => {
    isHeard = true;
    // A probe that says that ours have come, or a packet that counts: the way is open in both directions.
    if (message[0] === 0) return;
    begin();
    if (message[0] !== 2) return;
    const number = message.readUInt32BE(4);
    if (seen.has(number)) twice++;
    seen.add(number);
  });
  const probing = setInterval(() => socket.send(Buffer.from([isHeard ? 1 : 0]), udpPort, peer), 20);

  const bytesAt = (offset: number, length: number): Buffer =>
    Buffer.from(Array.from({ length }, (_, i) => ((offset + i) * 31) & 255));
  const server = createServer((one) => {
    one.on('data', (data) => {
      if (!data.equals(bytesAt(tcp.received, data.length))) tcp.problem ||= `other bytes at ${tcp.received}`;
      tcp.received += data.length;
    });
    one.on('error', (error) => {
      tcp.problem ||= error.message;
    });
  });
  server.listen(tcpPort, own);

  const stream = (): void => {
    const client = connect({ host: peer, port: tcpPort, localAddress: own });
    let writing: NodeJS.Timeout | undefined;
    client.once('connect', () => {
      writing = setInterval(() => {
        client.write(bytesAt(tcp.sent, chunk));
        tcp.sent += chunk;
      }, 2);
    });
    client.on('error', (error) => {
      tcp.problem ||= error.message;
    });
    stopping.push(() => {
      clearInterval(writing);
      client.end();
    });
  };

  reports = () => ({ sent, received: seen.size, twice, drops: dropsHere(), tcp });
}

async function dial(): Promise<void> {
  let sent = 0;
  stopping.push(
    paced(() => {
      const socket = createSocket('udp4');
      socket.on('error', () => undefined);
      sent++;
      socket.send(Buffer.from('new'), udpPort, peer, () => socket.close());
    }),
  );
  reports = () => ({ sent });
  say({ event: 'flowing' });
}

async function listen(): Promise<void> {
  const sources = new Map<string, number>();
  const socket = await bound(own, udpPort);
  socket.on('message', (_, { address }) => sources.set(address, (sources.get(address) ?? 0) + 1));
  reports = () => ({ sources: Object.fromEntries(sources), drops: dropsHere() });
  say({ event: 'flowing' });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'stop') for (const stop of stopping.splice(0)) stop();
  if (line === 'report') say({ event: 'report', ...reports() });
});
process.stdin.once('close', () => process.exit(0));

const roles: Readonly<Record<string, () => Promise<void>>> = { exchange, dial, listen };
void roles[role]?.();
