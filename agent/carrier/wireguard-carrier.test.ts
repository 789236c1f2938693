import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FakeTunnel } from '../../kernel/tun/fake-tunnel.ts';
import { FakeWireguard } from '../../kernel/wireguard/fake.ts';
import type { WireguardAccess } from '../../kernel/wireguard/objects.ts';
import { IpAddress } from '../../net/address.ts';
import type { Lease } from '../../store/lease.ts';
import { advertise, backendDevices } from '../backend/choose-backend.ts';
import { createPeerTable, type PeerTable } from '../peer-table.ts';
import { routeLookup } from '../route-lookup.ts';
import {
  leaseMap,
  sampleConfig,
  sampleKey,
  sampleLease,
  sampleMachine,
  sampleUnderlay,
} from '../sample-cluster.ts';
import type { Carrier, CarrierPlan } from './carrier.ts';
import { openCarrier } from './open-carrier.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-wireguard-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const kept = { signal: new AbortController().signal, thorough: false, touched: false };
const second = { ...kept, thorough: true };

interface Rig {
  readonly carrier: Carrier;
  readonly fake: FakeWireguard;
  /** The plan that the backend makes of these peers. */
  plan(peers: readonly Lease[], backend?: object): CarrierPlan;
  /** How often a device was read. */
  readonly reads: () => number;
}

function rig(families: readonly (4 | 6)[] = [4], hasDevice = (_link: string): boolean => true): Rig {
  const fake = new FakeWireguard(hasDevice);
  let reads = 0;
  const access: WireguardAccess = {
    read(link) {
      reads++;
      return fake.read(link);
    },
    apply: (steps) => fake.apply(steps),
    close() {},
  };
  let now = 1_000_000;
  const { carrier, wireguardKey } = openCarrier({
    stateDirectory: directory,
    kernel: { openWireguard: () => access, tunnel: new FakeTunnel() },
    // Every look is later than the rest after the one before.
    now: () => (now += 1000),
  });
  const table: PeerTable = createPeerTable();
  const actual = sampleMachine();
  const underlay = sampleUnderlay(families);
  const configs = new Map<string, ReturnType<typeof sampleConfig>>();
  return {
    carrier,
    fake,
    reads: () => reads,
    plan(peers, backend = {}) {
      const text = JSON.stringify(backend);
      const config =
        configs.get(text) ?? sampleConfig({ backend: { Type: 'wireguard', ...backend }, families });
      configs.set(text, config);
      const { subnet, subnet6 } = sampleLease({ number: 1, families });
      const macs = () => {
        throw new TypeError('No MAC is needed');
      };
      const own = { node: 'node-1', subnet, subnet6, ...advertise({ config, underlay, macs, wireguardKey }) };
      const input = { config, own, underlay, routeTo: routeLookup(actual), actual, leases: leaseMap(peers) };
      const { carriers = [] } = backendDevices(input);
      return { devices: carriers, peers: table.update(input).carried };
    },
  };
}

const peer = (number: number, more: object = {}) => sampleLease({ number, backend: 'wireguard', ...more });
const name = (number: number, link = 'flannel-wg') => `${link} peer ${sampleKey(number)}`;
const objects = ({ changes }: { readonly changes: readonly { readonly object: string }[] }) =>
  changes.map(({ object }) => object);

function shown(fake: FakeWireguard, link = 'flannel-wg'): readonly string[] {
  return [...(fake.read(link)?.peers.values() ?? [])].map(
    ({ publicKey, endpoint, allowedIps, keepaliveSeconds, presharedKey }) =>
      `${publicKey.bytes[0]} at ${endpoint?.address}:${endpoint?.port} for ${allowedIps.join(' ')}, keepalive ${keepaliveSeconds}${presharedKey === undefined ? '' : ', PSK'}`,
  );
}

test('makes the device and its peers, then rests; one lease more is one peer more, without a look at the others', async () => {
  const { carrier, fake, plan, reads } = rig();
  const first = plan([peer(2), peer(3)]);
  expect(objects(await carrier.ensure(first, second))).toEqual(['flannel-wg', name(2), name(3)]);
  expect(shown(fake)).toEqual([
    '2 at 192.0.2.2:51820 for 10.244.2.0/24, keepalive 0',
    '3 at 192.0.2.3:51820 for 10.244.3.0/24, keepalive 0',
  ]);
  expect(fake.read('flannel-wg')?.listenPort).toBe(51820);
  expect(await carrier.ensure(first, second)).toMatchObject({ changes: [], failed: new Map() });
  expect(carrier.changed()).toBe(false);
  const looks = reads();
  expect(objects(await carrier.ensure(plan([peer(2), peer(3), peer(4)]), kept))).toEqual([name(4)]);
  expect(objects(await carrier.ensure(plan([peer(2), peer(4)]), kept))).toEqual([name(3)]);
  expect(reads()).toBe(looks);
  expect(await carrier.ensure(plan([peer(2), peer(4)]), second)).toMatchObject({
    changes: [],
    failed: new Map(),
  });
});

test('what others change is seen and put back; what a peer does by itself is none of that', async () => {
  const { carrier, fake, plan } = rig();
  const wanted = plan([peer(2), peer(3)]);
  await carrier.ensure(wanted, second);
  fake.hear('flannel-wg', {
    publicKey: sampleKey(2),
    endpoint: { address: IpAddress.parse('203.0.113.9'), port: 4711 },
    at: 1_000_000,
  });
  expect(carrier.changed()).toBe(false);
  fake.apply([{ kind: 'peer-delete', link: 'flannel-wg', publicKey: sampleKey(3) }]);
  fake.apply([
    {
      kind: 'peer-set',
      link: 'flannel-wg',
      peer: {
        publicKey: sampleKey(9),
        presharedKey: undefined,
        endpoint: undefined,
        keepaliveSeconds: 0,
        allowedIps: [],
      },
      keepsEndpoint: false,
    },
  ]);
  expect(carrier.changed()).toBe(true);
  expect(objects(await carrier.ensure(wanted, second))).toEqual([name(9), name(3)]);
  expect(shown(fake)[0]).toContain('203.0.113.9:4711');
  expect(carrier.changed()).toBe(false);
  expect(carrier.inspect?.().get(name(2))).toEqual({
    link: 'flannel-wg',
    endpoint: '203.0.113.9:4711',
    lastHandshake: '1970-01-01T00:16:40.000Z',
    receivedBytes: 0,
    sentBytes: 0,
  });
});

test('a node that moved is sought at its new address at once, though the old one still answers', async () => {
  const { carrier, fake, plan } = rig();
  await carrier.ensure(plan([peer(2)]), second);
  fake.hear('flannel-wg', {
    publicKey: sampleKey(2),
    endpoint: { address: IpAddress.parse('192.0.2.2'), port: 51820 },
    at: 1_000_000,
  });
  await carrier.ensure(plan([peer(2, { publicIp: '192.0.2.77' })]), kept);
  expect(shown(fake)).toEqual(['2 at 192.0.2.77:51820 for 10.244.2.0/24, keepalive 0']);
});

test('options: ports, a preshared key, keepalive', async () => {
  const { carrier, fake, plan } = rig();
  const psk = Buffer.alloc(32, 35).toString('base64');
  await carrier.ensure(plan([peer(2)], { ListenPort: 1, PSK: psk, PersistentKeepaliveInterval: 25 }), second);
  expect(shown(fake)).toEqual(['2 at 192.0.2.2:51820 for 10.244.2.0/24, keepalive 25, PSK']);
  expect(fake.read('flannel-wg')?.listenPort).toBe(1);
  await carrier.ensure(plan([peer(2)]), kept);
  expect(shown(fake)).toEqual(['2 at 192.0.2.2:51820 for 10.244.2.0/24, keepalive 0']);
  expect(fake.read('flannel-wg')?.listenPort).toBe(51820);
});

const both = [4, 6] as const;

test('two families: a device each', async () => {
  const { carrier, fake, plan } = rig(both);
  const report = await carrier.ensure(plan([peer(2, { families: both })]), second);
  expect(objects(report)).toEqual(['flannel-wg', name(2), 'flannel-wg-v6', name(2, 'flannel-wg-v6')]);
  expect(shown(fake)).toEqual(['2 at 192.0.2.2:51820 for 10.244.2.0/24, keepalive 0']);
  expect(shown(fake, 'flannel-wg-v6')).toEqual(['2 at 2001:db8::2:51821 for fd00:244:0:2::/64, keepalive 0']);
  expect(await carrier.ensure(plan([peer(2, { families: both })]), second)).toMatchObject({ changes: [] });
});

test.each([
  ['ipv4', '192.0.2.2:51820'],
  ['ipv6', '2001:db8::2:51820'],
  // 192.0.2.2 is not private.
  ['auto', '192.0.2.2:51820'],
])('two families on one device, "Mode" "%s": sought at %s', async (Mode, place) => {
  const { carrier, fake, plan } = rig(both);
  await carrier.ensure(plan([peer(2, { families: both })], { Mode }), second);
  expect(shown(fake)).toEqual([`2 at ${place} for 10.244.2.0/24 fd00:244:0:2::/64, keepalive 0`]);
  expect(shown(fake, 'flannel-wg-v6')).toEqual([]);
});

test('"auto" takes IPv6 where IPv4 is private and IPv6 is not', async () => {
  const { carrier, fake, plan } = rig(both);
  const hidden = peer(2, { families: both, publicIp: '192.168.1.2' });
  await carrier.ensure(plan([hidden], { Mode: 'auto' }), second);
  expect(shown(fake)[0]).toContain('2001:db8::2:51820');
  const local = { ...hidden, publicIp6: IpAddress.parse('fd99::2') };
  await carrier.ensure(plan([local], { Mode: 'auto' }), kept);
  expect(shown(fake)[0]).toContain('192.168.1.2:51820');
});

test('without the device all its peers have failed, and are made when it comes', async () => {
  let isThere = false;
  const { carrier, fake, plan } = rig([4], () => isThere);
  const wanted = plan([peer(2)]);
  const report = await carrier.ensure(wanted, second);
  expect([...report.failed]).toEqual([
    ['wireguard flannel-wg', new Error('Cannot find WireGuard device "flannel-wg"')],
    [name(2), new Error('Cannot find WireGuard device "flannel-wg"')],
  ]);
  isThere = true;
  expect((await carrier.ensure(wanted, kept)).failed.size).toBe(0);
  expect(shown(fake)).toHaveLength(1);
});
