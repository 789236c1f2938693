import { beforeEach, describe, expect, test } from '@jest/globals';
import { FakeTunnel } from '../../../kernel/tun/fake-tunnel.ts';
import { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { errorMessage } from '../../../runtime/error-text.ts';
import { type Carrier, type CarrierReport, carriedName } from '../carrier.ts';
import type { ThreadEvents } from './forwarder-thread.ts';
import { createUdpCarrier, type UdpDevice, type UdpPeer } from './udp-carrier.ts';
import { UdpCounters } from './udp-counters.ts';
import type { WorkerCommand } from './worker-messages.ts';

interface FakeThread {
  readonly events: ThreadEvents;
  readonly told: WorkerCommand[];
  stopped: boolean;
}

let kernel: FakeTunnel;
let threads: FakeThread[];
let carrier: Carrier;
let time: number;

beforeEach(() => {
  kernel = new FakeTunnel();
  threads = [];
  time = 1_000_000;
  carrier = createUdpCarrier({
    kernel,
    counters: new UdpCounters(),
    now: () => time,
    random: () => 0,
    startThread(_, events) {
      const thread: FakeThread = { events, told: [], stopped: false };
      threads.push(thread);
      return {
        tell: (command) => thread.told.push(command),
        async stop() {
          thread.stopped = true;
        },
      };
    },
  });
});

const device: UdpDevice = {
  kind: 'udp',
  link: 'flannel0',
  address: IpAddress.parse('192.0.2.1'),
  port: 8285,
  publicIp: IpAddress.parse('192.0.2.1'),
  network: Prefix.parse('10.244.0.0/16'),
  subnet: Prefix.parse('10.244.1.0/24'),
};

function peer(number: number, publicIp = `192.0.2.${number}`): UdpPeer {
  return {
    kind: 'udp',
    link: 'flannel0',
    subnet: Prefix.parse(`10.244.${number}.0/24`),
    publicIp: IpAddress.parse(publicIp),
  };
}

function peersOf(...peers: readonly UdpPeer[]): ReadonlyMap<string, UdpPeer> {
  return new Map(peers.map((each) => [carriedName(each), each]));
}

async function ensure(
  plan: {
    readonly device?: UdpDevice | undefined;
    readonly peers?: ReadonlyMap<string, UdpPeer>;
  },
  touched = false,
): Promise<CarrierReport> {
  const devices = plan.device === undefined ? [] : [plan.device];
  const { signal } = new AbortController();
  return await carrier.ensure(
    { devices, peers: plan.peers ?? new Map() },
    { signal, thorough: false, touched },
  );
}

const open = (): readonly string[] => [...kernel.open.values()].sort();
const kinds = (thread: FakeThread | undefined): readonly string[] =>
  thread?.told.map(({ kind }) => kind) ?? [];
const objects = ({ changes }: CarrierReport): readonly string[] => changes.map(({ object }) => object);

function tunnelOf(thread: FakeThread | undefined) {
  const last = thread?.told.findLast((command) => command.kind === 'tunnel');
  return last?.kind === 'tunnel' ? last.tunnel : undefined;
}

const allOpen = ['raw', 'tun flannel0', 'udp 192.0.2.1:8285'];

test('starts a thread that knows the peers first; a second time there is nothing to do', async () => {
  const peers = peersOf(peer(2), peer(3));
  const report = await ensure({ device, peers });
  expect(report.failed.size).toBe(0);
  expect(objects(report)).toEqual(['flannel0 peer 10.244.2.0/24', 'flannel0 peer 10.244.3.0/24', 'flannel0']);
  expect(open()).toEqual(allOpen);
  expect(kinds(threads[0])).toEqual(['peers', 'tunnel']);
  expect(tunnelOf(threads[0])).toMatchObject({ number: 1, splits: true, place: { port: 8285 } });
  expect([...(tunnelOf(threads[0])?.source ?? [])]).toEqual([10, 244, 1, 0]);
  expect(objects(await ensure({ device, peers }))).toEqual([]);
  expect(objects(await ensure({ device, peers }, true))).toEqual([]);
  expect(kinds(threads[0]).length).toBe(2);
  expect(carrier.changed()).toBe(false);
});

test('tells which peers are others', async () => {
  const [two, three] = [peer(2), peer(3)];
  await ensure({ device, peers: peersOf(two, three) });
  const report = await ensure({ device, peers: peersOf(three, peer(4)) });
  expect(objects(report)).toEqual(['flannel0 peer 10.244.2.0/24', 'flannel0 peer 10.244.4.0/24']);
  expect(kinds(threads[0])).toEqual(['peers', 'tunnel', 'peers']);
});

describe('another port', () => {
  const moved = { ...device, port: 8286 };

  test('the socket of before is closed when the thread has the new one', async () => {
    await ensure({ device });
    expect(objects(await ensure({ device: moved }))).toEqual(['flannel0']);
    expect(open()).toEqual([...allOpen, 'udp 192.0.2.1:8286']);
    threads[0]?.events.onNews({ kind: 'in-use', number: 1 });
    expect(open().length).toBe(4);
    threads[0]?.events.onNews({ kind: 'in-use', number: 2 });
    expect(open()).toEqual(['raw', 'tun flannel0', 'udp 192.0.2.1:8286']);
    expect(tunnelOf(threads[0])?.place.port).toBe(8286);
  });

  test('that is taken: an error that names it, for the device and each peer, and all goes on as it was', async () => {
    const peers = peersOf(peer(2));
    await ensure({ device, peers });
    kernel.taken.add('192.0.2.1:8286');
    const { failed } = await ensure({ device: moved, peers });
    expect([...failed.keys()]).toEqual(['udp flannel0', 'flannel0 peer 10.244.2.0/24']);
    expect(errorMessage(failed.get('udp flannel0'))).toBe(
      'Cannot listen on UDP "192.0.2.1:8286": address already in use (EADDRINUSE)',
    );
    expect(open()).toEqual(allOpen);
    expect(kinds(threads[0]).length).toBe(2);
    kernel.taken.clear();
    expect((await ensure({ device: moved, peers })).failed.size).toBe(0);
    expect(tunnelOf(threads[0])?.place.port).toBe(8286);
  });
});

test('a device that another process holds', async () => {
  kernel.taken.add('flannel0');
  const { failed } = await ensure({ device });
  expect(errorMessage(failed.get('udp flannel0'))).toMatch(/^Cannot open TUN device "flannel0"/);
  kernel.taken.clear();
  expect((await ensure({ device })).failed.size).toBe(0);
  expect(open()).toEqual(allOpen);
});

describe('a device that was deleted', () => {
  test('is opened anew once the thread has noticed', async () => {
    await ensure({ device });
    kernel.deleteDevice('flannel0');
    threads[0]?.events.onNews({ kind: 'device-gone' });
    expect(carrier.changed()).toBe(true);
    expect(objects(await ensure({ device }))).toEqual(['flannel0']);
    expect(carrier.changed()).toBe(false);
    threads[0]?.events.onNews({ kind: 'in-use', number: 2 });
    expect(open()).toEqual(allOpen);
  });

  test('or once links were changed', async () => {
    await ensure({ device });
    kernel.deleteDevice('flannel0');
    expect(objects(await ensure({ device }))).toEqual([]);
    expect(objects(await ensure({ device }, true))).toEqual(['flannel0']);
  });
});

test('a device that is back while the port is not to be had is told of later', async () => {
  await ensure({ device });
  kernel.deleteDevice('flannel0');
  kernel.taken.add('192.0.2.1:8286');
  const moved = { ...device, port: 8286 };
  expect((await ensure({ device: moved }, true)).failed.size).toBe(1);
  const before = tunnelOf(threads[0])?.tun;
  // Back to what it was: the socket is the same, the device is not.
  expect(objects(await ensure({ device }))).toEqual(['flannel0']);
  expect(tunnelOf(threads[0])?.tun).not.toBe(before);
  threads[0]?.events.onNews({ kind: 'in-use', number: 2 });
  expect(open()).toEqual(allOpen);
});

describe('a thread that crashes', () => {
  test('is started again, later each time', async () => {
    const peers = peersOf(peer(2));
    await ensure({ device, peers });
    threads[0]?.events.onCrash(new Error('out of memory'));
    expect(carrier.changed()).toBe(false);
    const { failed } = await ensure({ device, peers });
    expect(errorMessage(failed.get('udp flannel0'))).toBe(
      'The thread that carries packets ended: out of memory',
    );
    expect(failed.has('flannel0 peer 10.244.2.0/24')).toBe(true);
    time += 250;
    expect(carrier.changed()).toBe(true);
    expect((await ensure({ device, peers })).failed.size).toBe(0);
    expect(kinds(threads[1])).toEqual(['peers', 'tunnel']);
    expect(open()).toEqual(allOpen);
    expect(carrier.changed()).toBe(false);

    threads[1]?.events.onCrash(new Error('again'));
    time += 499;
    expect(carrier.changed()).toBe(false);
    time += 1;
    expect(carrier.changed()).toBe(true);
    await ensure({ device, peers });
    time += 120_000;
    threads[2]?.events.onCrash(new Error('much later'));
    time += 250;
    expect(carrier.changed()).toBe(true);
  });

  test('what an old one says does not concern the new', async () => {
    await ensure({ device });
    threads[0]?.events.onCrash(new Error('once'));
    time += 1000;
    await ensure({ device });
    threads[0]?.events.onCrash(new Error('twice'));
    expect(carrier.changed()).toBe(false);
    expect(threads.length).toBe(2);
  });
});

test('ends with the plan, and with the agent', async () => {
  await ensure({ device, peers: peersOf(peer(2)) });
  await ensure({ device: { ...device, port: 8286 } });
  await ensure({});
  expect(threads[0]?.stopped).toBe(true);
  expect(open()).toEqual([]);
  await ensure({ device });
  expect(threads.length).toBe(2);
  await carrier.close();
  await carrier.close();
  expect(threads[1]?.stopped).toBe(true);
  expect(open()).toEqual([]);
});
