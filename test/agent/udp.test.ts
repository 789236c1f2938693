// Backend udp on the real kernel: agents with their threads, a peer that is nothing but datagrams, and what is done to them.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { samplePacket } from '../../agent/carrier/udp/sample-packets.ts';
import { datagramSocket } from '../../cli/lab/datagram-socket.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import {
  gatewayOf,
  logOf,
  ping,
  run,
  statusOf,
  TestCluster,
  type TestNode,
  until,
  untilStatus,
} from './cluster.ts';

const network = '10.244.0.0/16';
let cluster: TestCluster;
let first: TestNode;
let second: TestNode;

function configure(backend: object): void {
  cluster.writeConfig({ Network: network, Backend: { Type: 'udp', ...backend } });
}

beforeAll(async () => {
  cluster = new TestCluster({
    nodes: 2,
    config: { Network: network, Backend: { Type: 'udp' } },
    settings: { 'sync-interval': '1s' },
  });
  const [one, other] = cluster.nodes;
  if (one === undefined || other === undefined) throw new Error('two nodes are wanted');
  [first, second] = [one, other];
  await cluster.up();
});

afterAll(async () => {
  await cluster.close();
});

const talks = (): boolean => ping(first, gatewayOf(second)) && ping(second, gatewayOf(first));

async function untilTheyTalk(): Promise<void> {
  await until(talks, () => `${logOf(first)}\n${logOf(second)}`);
}

/** What it prints, whatever its exit code. */
function inside(node: TestNode, command: string): string {
  return spawnSync('ip', ['netns', 'exec', node.place.name, ...command.split(' ')], { encoding: 'utf8' })
    .stdout;
}

/** What the agent says of its tunnel: "sent no-peer" -> 3. */
async function drops(node: TestNode): Promise<Readonly<Record<string, number>>> {
  const { body } = await unixRequest({
    socketPath: join(node.directory, 'run', 'netloom.sock'),
    path: '/status',
    timeoutMs: 2000,
  });
  // As run-agent.ts adds it.
  const { udp } = body as {
    readonly udp: Record<'sent' | 'received', { dropped: Record<string, number> }> | null;
  };
  return Object.fromEntries(
    (['sent', 'received'] as const).flatMap((direction) =>
      Object.entries(udp?.[direction].dropped ?? {}).map(([reason, count]) => [
        `${direction} ${reason}`,
        count,
      ]),
    ),
  );
}

async function untilDropped(node: TestNode, what: string, before: number): Promise<void> {
  let now: Readonly<Record<string, number>> = {};
  await until(
    async () => {
      now = await drops(node);
      return (now[what] ?? 0) > before;
    },
    () => `${what}: ${JSON.stringify(now)}`,
  );
}

describe('two nodes', () => {
  test('talk, with the objects of flannel', async () => {
    await untilTheyTalk();
    const { lease, mtu, network: seen } = await untilStatus(first, ({ ready }) => ready);
    expect(lease?.backend).toBe('udp');
    expect(seen?.backend).toBe('udp');
    expect(mtu).toBe(1472);
    const subnet = String(lease?.subnet).replace('/24', '');
    expect(run(`ip -n ${first.place.name} route show dev flannel0`).trim()).toBe(
      `${network} proto 78 scope link`,
    );
    expect(run(`ip -n ${first.place.name} -o -4 address show dev flannel0`)).toContain(`inet ${subnet}/32`);
    expect(run(`ip -n ${first.place.name} -d link show flannel0`)).toMatch(
      /mtu 1472 .*tun type tun.*persist on/s,
    );
    // As flannel's are: without a type.
    const value = execFileSync('cat', [join(cluster.store, 'subnets', `${subnet}-24.json`)], {
      encoding: 'utf8',
    });
    expect(JSON.parse(value)).toEqual({ PublicIP: '192.0.2.1', PublicIPv6: null, Node: 'node-1' });
  });

  test('carry what fits, and refuse what does not', () => {
    const from = gatewayOf(first);
    const probe = (size: number): string =>
      inside(first, `ping -c 1 -W 2 -M do -s ${size} -I ${from} ${gatewayOf(second)}`);
    expect(probe(1472 - 28)).toContain(' 0% packet loss');
    expect(probe(1472 - 27)).not.toContain(' 0% packet loss');
  });

  test('carry many at once, also where the way between them is narrower than it seems', () => {
    const from = gatewayOf(first);
    // As many as it may send before the first answer, so that they leave together.
    const burst = (): string =>
      inside(first, `ping -c 60 -l 60 -W 5 -s 1400 -I ${from} ${gatewayOf(second)}`);
    expect(burst()).toContain(' 0% packet loss');
    const way = '192.0.2.2/32 dev eth0 src 192.0.2.1 mtu 1000';
    run(`ip -n ${first.place.name} route add ${way}`);
    try {
      expect(burst()).toContain(' 0% packet loss');
    } finally {
      run(`ip -n ${first.place.name} route delete ${way}`);
    }
  });

  test('say that nobody has a subnet', async () => {
    const before = (await drops(first))['sent no-peer'] ?? 0;
    const said = inside(first, `ping -c 1 -W 2 -I ${gatewayOf(first)} 10.244.255.255`);
    expect(said).toMatch(/Destination Net Unreachable/);
    await untilDropped(first, 'sent no-peer', before);
  });

  test('are each a hop on the way', () => {
    const zero = (node: TestNode): string => gatewayOf(node).replace(/\.1$/, '.0');
    const hop = (ttl: number): string =>
      /From (\S+).*Time to live exceeded/.exec(
        inside(first, `ping -c 1 -W 2 -t ${ttl} -I ${gatewayOf(first)} ${gatewayOf(second)}`),
      )?.[1] ?? '';
    expect([hop(1), hop(2)]).toEqual([zero(first), zero(second)]);
  });
});

describe('a peer that is nothing but datagrams', () => {
  let foreign: TestNetns;
  let socket: Socket;
  const received: Buffer[] = [];
  const subnet = '10.244.77.0';

  beforeAll(async () => {
    foreign = testNetns();
    const fabric = cluster.fabric.name;
    run(`ip link add eth0 netns ${foreign.name} type veth peer name port77 netns ${fabric}`);
    run(`ip -n ${fabric} link set port77 master br0 up`);
    for (const number of [77, 78]) run(`ip -n ${foreign.name} address add 192.0.2.${number}/24 dev eth0`);
    run(`ip -n ${foreign.name} link set eth0 up`);
    mkdirSync(join(cluster.store, 'subnets'), { recursive: true });
    // flannel's lease to the byte.
    writeFileSync(
      join(cluster.store, 'subnets', `${subnet}-24.json`),
      '{"PublicIP":"192.0.2.77","PublicIPv6":null}',
    );
    socket = foreign.netns.run(() => {
      const made = datagramSocket();
      made.bind(8285, '192.0.2.77');
      return made;
    });
    socket.on('message', (message) => {
      received.push(message);
      socket.emit('netloom-received');
    });
    await untilStatus(first, ({ peers }) => peers.filter(({ programmed }) => programmed).length === 2);
  });

  afterAll(async () => {
    socket.close();
    foreign[Symbol.dispose]();
    rmSync(join(cluster.store, 'subnets', `${subnet}-24.json`));
    await untilStatus(first, ({ peers }) => peers.length === 1);
  });

  const send = (packet: Uint8Array, from: Socket = socket): Promise<void> =>
    new Promise((resolve, reject) => {
      from.send(packet, 8285, '192.0.2.1', (error) => (error === null ? resolve() : reject(error)));
    });

  function echoRequest(source: string, destination: string, data: Buffer): Uint8Array {
    const icmp = Buffer.concat([Buffer.from([8, 0, 0, 0, 0x12, 0x34, 0, 1]), data]);
    const sum = icmp.reduce((total, byte, i) => total + (i % 2 === 0 ? byte << 8 : byte), 0);
    icmp.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 2);
    return samplePacket({ source, destination, protocol: 1, payload: icmp });
  }

  test('is answered in the same way: the packet, and nothing around it', async () => {
    const data = randomBytes(100);
    received.length = 0;
    await send(echoRequest('10.244.77.5', gatewayOf(first), data));
    const reply = (): Buffer | undefined =>
      received.find((packet) => packet[9] === 1 && packet[20] === 0 && packet.subarray(28).equals(data));
    const wait = AbortSignal.timeout(10_000);
    while (reply() === undefined) await once(socket, 'netloom-received', { signal: wait });
    const packet = reply();
    expect(packet?.length).toBe(128);
    expect([...(packet?.subarray(12, 20) ?? [])].join('.')).toBe(`${gatewayOf(first)}.10.244.77.5`);
    // From the machine's 64, less one for the tunnel.
    expect(packet?.[8]).toBe(63);
  });

  test.each([
    ['a pod of another node', '10.244.78.5', 'received foreign-source'],
    ['this node itself', '192.0.2.1', 'received foreign-source'],
  ])('is not believed to be %s', async (_, source, reason) => {
    const before = (await drops(first))[reason] ?? 0;
    await send(echoRequest(source, gatewayOf(first), randomBytes(10)));
    await untilDropped(first, reason, before);
  });

  test('is not heard from another port, nor is a stranger', async () => {
    for (const [address, port] of [
      ['192.0.2.77', 0],
      ['192.0.2.78', 8285],
    ] as const) {
      const before = (await drops(first))['received unknown-sender'] ?? 0;
      const other = foreign.netns.run(() => {
        const made = datagramSocket();
        made.bind(port, address);
        return made;
      });
      await send(echoRequest('10.244.77.5', gatewayOf(first), randomBytes(10)), other);
      await untilDropped(first, 'received unknown-sender', before);
      other.close();
    }
  });

  test('may send whatever it wants: the node goes on', async () => {
    for (let i = 0; i < 500; i++) {
      const packet = Buffer.from(echoRequest('10.244.77.5', gatewayOf(first), randomBytes(i % 50)));
      for (let edit = 0; edit < i % 5; edit++) {
        const at = randomInt(packet.length);
        packet[at] = (packet[at] ?? 0) ^ (1 << (i % 8));
      }
      await send(i % 7 === 0 ? randomBytes(i) : packet);
    }
    await send(Buffer.alloc(0));
    await send(randomBytes(60_000));
    expect(talks()).toBe(true);
    expect((await statusOf(first))?.ready).toBe(true);
  });
});

describe('what is done to a node is put right', () => {
  test('the device deleted', async () => {
    run(`ip -n ${first.place.name} link delete flannel0`);
    await untilTheyTalk();
    await untilStatus(first, ({ repaired }) => (repaired['link'] ?? 0) > 0);
  });

  test('the route deleted, the device down, its MTU changed', async () => {
    run(`ip -n ${first.place.name} route delete ${network}`);
    await untilTheyTalk();
    run(`ip -n ${first.place.name} link set flannel0 down`);
    await untilTheyTalk();
    run(`ip -n ${first.place.name} link set flannel0 mtu 1300`);
    const mtu = (): string => run(`ip -n ${first.place.name} link show flannel0`);
    await until(() => mtu().includes('mtu 1472'), mtu);
  });

  test('the underlay’s MTU and address', async () => {
    const { name } = first.place;
    run(`ip -n ${name} link set eth0 mtu 1400`);
    await untilStatus(first, ({ mtu }) => mtu === 1372);
    run(`ip -n ${name} link set eth0 mtu 1500`);
    run(`ip -n ${name} address delete 192.0.2.1/24 dev eth0`);
    run(`ip -n ${name} address add 192.0.2.31/24 dev eth0`);
    await untilStatus(first, ({ lease, ready }) => ready && lease?.publicIp === '192.0.2.31');
    await untilTheyTalk();
    run(`ip -n ${name} address delete 192.0.2.31/24 dev eth0`);
    run(`ip -n ${name} address add 192.0.2.1/24 dev eth0`);
    await untilStatus(first, ({ lease, ready }) => ready && lease?.publicIp === '192.0.2.1');
    await untilTheyTalk();
  });
});

test('another port; one that is taken is said, and taken when it is free', async () => {
  configure({ Port: 9000 });
  await untilTheyTalk();
  const taken = first.place.netns.run(() => {
    const made = datagramSocket();
    made.bind(9001, '192.0.2.1');
    return made;
  });
  configure({ Port: 9001 });
  const { blockers } = await untilStatus(first, ({ ready }) => !ready);
  expect(blockers.join()).toContain('Cannot listen on UDP "192.0.2.1:9001": address already in use');
  taken.close();
  await untilStatus(first, ({ ready }) => ready);
  await untilTheyTalk();
  configure({});
  await untilTheyTalk();
});

test('an agent that ends leaves device and route, and the next one goes on with them', async () => {
  const index = (): string => /^\d+/.exec(run(`ip -n ${first.place.name} link show flannel0`))?.[0] ?? '';
  const before = index();
  expect(await cluster.stop(first)).toBe(0);
  expect(run(`ip -n ${first.place.name} route show dev flannel0`)).toContain(network);
  cluster.start(first);
  await cluster.ready(first, 1);
  await untilTheyTalk();
  expect(index()).toBe(before);
});

test('another backend, and back', async () => {
  const { name } = first.place;
  cluster.writeConfig({ Network: network, Backend: { Type: 'vxlan' } });
  await untilStatus(first, ({ lease, ready }) => ready && lease?.backend === 'vxlan');
  await untilTheyTalk();
  // The device stays for a while, as any former one does; nothing is sent to it.
  expect(run(`ip -n ${name} route show dev flannel0`)).toBe('');
  configure({});
  await untilStatus(first, ({ lease, ready }) => ready && lease?.backend === 'udp');
  await untilTheyTalk();
});
