// The whole life of leases in real directories. Longer than a file should be: all of it needs the one fixture below.
import { execFile } from 'node:child_process';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Lease } from '../lease.ts';
import { leaseKey } from '../lease-key.ts';
import type { LeaseRequest, LeaseSnapshot } from '../lease-store.ts';
import { isStoreError, type StoreError } from '../store-error.ts';
import { DirectoryLeaseStore, type DirectoryLeaseStoreOptions } from './directory-lease-store.ts';

// Looks and claims take what the machine lets them take.
jest.setTimeout(60_000);

const ttlMs = 60_000;
const { signal } = new AbortController();

let directory: string;
let clock: number;
let opened: DirectoryLeaseStore[];
/** What all stores of a test are opened with. */
let common: Partial<DirectoryLeaseStoreOptions>;

/** As of a file system without hard links. */
const noLinks: Partial<DirectoryLeaseStoreOptions> = {
  link: () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' })),
};

beforeEach(async () => {
  common = {};
  directory = await mkdtemp(join(tmpdir(), 'netloom-store-'));
  clock = Date.now();
  opened = [];
  await configure({ Network: '10.0.0.0/24', SubnetLen: 26, Backend: { Type: 'vxlan' } });
});

afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await rm(directory, { recursive: true });
});

/** Written beside and renamed, as an operator's tool would. */
async function configure(config: object): Promise<void> {
  await writeFile(join(directory, '.config'), JSON.stringify(config));
  await rename(join(directory, '.config'), join(directory, 'config'));
}

function storeOf(options: Partial<DirectoryLeaseStoreOptions> = {}): DirectoryLeaseStore {
  const store = new DirectoryLeaseStore({ directory, ttlMs, now: () => clock, ...common, ...options });
  opened.push(store);
  return store;
}

/** Node number `n` as the lab has them. */
function requestOf(n: number, more: Partial<LeaseRequest> = {}): LeaseRequest {
  return {
    node: `n${n}`,
    publicIp: IpAddress.parse(`192.0.2.${n}`),
    backendType: 'vxlan',
    backendData: { kind: 'vxlan', vni: 1, vtepMac: Mac.fromBytes(Uint8Array.of(2, 0, 0, 0, 0, n)) },
    ...more,
  };
}

const pathOf = (key: string) => join(directory, 'subnets', `${key}.json`);
const subnetOf = (lease: Lease) => String(lease.subnet);
const files = async () => (await readdir(join(directory, 'subnets'))).sort();
const keysOf = ({ leases }: LeaseSnapshot) => [...leases.keys()];
const messagesOf = ({ problems }: LeaseSnapshot) =>
  problems.map(({ message }) => message.replaceAll(`${directory}/`, ''));

async function put(key: string, value: object | string, age = 0): Promise<void> {
  await mkdir(join(directory, 'subnets'), { recursive: true });
  await writeFile(pathOf(key), typeof value === 'string' ? value : JSON.stringify(value));
  await setAge(key, age);
}

async function setAge(key: string, age: number): Promise<void> {
  const seconds = (clock - age) / 1000;
  await utimes(pathOf(key), seconds, seconds);
}

const flannelValue = (n: number, node?: string) => ({
  PublicIP: `192.0.2.${n}`,
  PublicIPv6: null,
  BackendType: 'vxlan',
  BackendData: { VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` },
  ...(node === undefined ? {} : { Node: node }),
});

async function errorOf(promise: Promise<unknown>): Promise<StoreError> {
  try {
    await promise;
  } catch (error) {
    if (isStoreError(error)) return error;
    throw error;
  }
  throw new Error('Expected a StoreError');
}

describe('acquiring', () => {
  test('writes one file in the format of flannel, and nothing else stays', async () => {
    const lease = await storeOf().acquire(requestOf(1), signal);
    const key = leaseKey(lease);
    expect(await files()).toEqual([`${key}.json`]);
    expect(await readFile(pathOf(key), 'utf8')).toBe(
      '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"},"Node":"n1"}',
    );
    expect(lease.expiresAt).toBe(clock + ttlMs);
  });

  test('gives a node the same subnet after a restart, with what it publishes now', async () => {
    const first = await storeOf().acquire(requestOf(1), signal);
    await storeOf().acquire(requestOf(2), signal);
    clock += ttlMs - 1;
    const changed = requestOf(1, {
      publicIp: IpAddress.parse('192.0.2.77'),
      backendType: 'host-gw',
      backendData: undefined,
    });
    const again = await storeOf().acquire(changed, signal);
    expect(subnetOf(again)).toBe(subnetOf(first));
    expect(again.expiresAt).toBe(clock + ttlMs);
    expect(await readFile(pathOf(leaseKey(again)), 'utf8')).toBe(
      '{"PublicIP":"192.0.2.77","PublicIPv6":null,"BackendType":"host-gw","Node":"n1"}',
    );
    expect(await files()).toHaveLength(2);
  });

  test('takes the previous subnet if it is free, and another if not', async () => {
    const previous = { subnet: Prefix.parse('10.0.0.192/26'), subnet6: undefined };
    const first = await storeOf().acquire(requestOf(1, { previous }), signal);
    expect(subnetOf(first)).toBe('10.0.0.192/26');
    expect(subnetOf(await storeOf().acquire(requestOf(2, { previous }), signal))).not.toBe('10.0.0.192/26');
  });

  test('takes over the lease that flannel left under our public address', async () => {
    await put('10.0.0.128-26', flannelValue(1));
    expect(subnetOf(await storeOf().acquire(requestOf(1), signal))).toBe('10.0.0.128/26');
    expect(await readFile(pathOf('10.0.0.128-26'), 'utf8')).toContain('"Node":"n1"');
  });

  test('says that the range is full, and works again when a subnet is given back', async () => {
    const store = storeOf();
    const leases = [];
    for (const n of [1, 2, 3]) leases.push(await store.acquire(requestOf(n), signal));
    const error = await errorOf(store.acquire(requestOf(4), signal));
    expect(error.code).toBe('full');
    expect(error.message).toBe(
      'Cannot acquire a subnet for node "n4": 3 of the 3 subnets "10.0.0.64/26" to "10.0.0.192/26" are taken',
    );
    const [, second] = leases;
    if (second === undefined) throw new Error('no lease');
    await store.release(second, signal);
    expect(subnetOf(await store.acquire(requestOf(4), signal))).toBe(subnetOf(second));
  });

  test('refuses a public address that another node has, by name', async () => {
    await put('10.0.0.64-26', flannelValue(1, 'other'));
    const error = await errorOf(storeOf().acquire(requestOf(1), signal));
    expect(error.code).toBe('conflict');
    expect(error.message).toBe(
      `Cannot acquire a lease for node "n1": its public address "192.0.2.1" is held by node "other" in "${pathOf('10.0.0.64-26')}"`,
    );
    clock += ttlMs + 1;
    expect((await storeOf().acquire(requestOf(1), signal)).node).toBe('n1');
  });

  test('moves when the configuration has changed, and gives the old subnet back', async () => {
    await storeOf().acquire(requestOf(1), signal);
    await configure({ Network: '10.9.0.0/16' });
    const lease = await storeOf().acquire(requestOf(1), signal);
    expect(lease.subnet?.length).toBe(24);
    expect(await files()).toEqual([`${leaseKey(lease)}.json`]);
  });

  test('gives subnets of both families, and of IPv6 alone', async () => {
    const address6 = {
      publicIp6: IpAddress.parse('fd00::1'),
      backendType: 'host-gw',
      backendData: undefined,
    };
    await configure({ Network: '10.0.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:1::/48' });
    const both = await storeOf().acquire(requestOf(1, address6), signal);
    expect([both.subnet?.length, both.subnet6?.length]).toEqual([24, 64]);
    await configure({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:1::/48' });
    const alone = await storeOf().acquire(requestOf(1, address6), signal);
    expect([alone.subnet, alone.subnet6?.length]).toEqual([undefined, 64]);
    expect(keysOf(await storeOf().snapshot(signal))).toEqual([leaseKey(alone)]);
  });

  test('without a configuration, or with half of one, is an error of its own kind', async () => {
    await writeFile(join(directory, 'config'), '{"Network":');
    expect((await errorOf(storeOf().acquire(requestOf(1), signal))).code).toBe('invalid');
    await unlink(join(directory, 'config'));
    expect((await errorOf(storeOf().acquire(requestOf(1), signal))).code).toBe('missing');
    expect((await errorOf(storeOf().networkConfig(signal))).message).toBe(
      `Cannot read network configuration "${join(directory, 'config')}": there is no such file`,
    );
  });

  test('never takes the subnet of a file that cannot be read, until that has expired', async () => {
    for (const key of ['10.0.0.64-26', '10.0.0.128-26']) await put(key, '{"PublicIP":');
    await symlink('/etc/passwd', pathOf('10.0.0.192-26'));
    expect((await errorOf(storeOf().acquire(requestOf(1), signal))).code).toBe('full');
    clock += ttlMs + 1;
    const [first, second] = [
      await storeOf().acquire(requestOf(1), signal),
      await storeOf().acquire(requestOf(2), signal),
    ];
    expect([subnetOf(first), subnetOf(second)].sort()).toEqual(['10.0.0.128/26', '10.0.0.64/26']);
    // Nobody removes what is no file.
    expect((await errorOf(storeOf().acquire(requestOf(3), signal))).code).toBe('full');
  });

  test('stops when it is told to', async () => {
    await expect(storeOf().acquire(requestOf(1), AbortSignal.abort())).rejects.toThrow('aborted');
  });
});

describe.each<readonly [string, typeof common]>([
  ['links', {}],
  ['exclusive creation', noLinks],
])('nodes that start together, claiming by %s,', (_, options) => {
  beforeEach(() => {
    common = options;
  });

  test('get ten different subnets from a range of ten', async () => {
    await configure({ Network: '10.0.0.0/24', SubnetLen: 28, SubnetMax: '10.0.0.160' });
    const leases = await Promise.all(
      Array.from({ length: 10 }, (_, n) => storeOf().acquire(requestOf(n + 1), signal)),
    );
    expect(new Set(leases.map(subnetOf)).size).toBe(10);
    expect(await files()).toHaveLength(10);
    expect(messagesOf(await storeOf().snapshot(signal))).toEqual([]);
  });

  test('with both families in ranges of different size get leases that do not overlap', async () => {
    await configure({
      ...{ Network: '10.0.0.0/24', SubnetLen: 28, SubnetMax: '10.0.0.160' },
      ...{ EnableIPv6: true, IPv6Network: 'fd00:1::/60' },
    });
    const request = (n: number) =>
      requestOf(n, {
        publicIp6: IpAddress.parse(`fd00::${n}`),
        backendType: 'host-gw',
        backendData: undefined,
      });
    const leases = await Promise.all(
      Array.from({ length: 10 }, (_, n) => storeOf().acquire(request(n + 1), signal)),
    );
    expect(new Set(leases.map(subnetOf)).size).toBe(10);
    expect(new Set(leases.map(({ subnet6 }) => String(subnet6))).size).toBe(10);
  });

  test('of one name share one lease', async () => {
    const leases = await Promise.all([1, 1, 1, 1].map((n) => storeOf().acquire(requestOf(n), signal)));
    expect(new Set(leases.map(subnetOf)).size).toBe(1);
    expect(await files()).toHaveLength(1);
  });

  test('with different lengths of subnets never keep two that overlap', async () => {
    // A configuration that is changed while nodes start: half of them see the old one.
    const stores = Array.from({ length: 6 }, () => storeOf());
    const half = (from: number) =>
      stores.slice(from, from + 3).map((store, i) => store.acquire(requestOf(from + i + 1), signal));
    await configure({ Network: '10.0.0.0/16', SubnetLen: 20 });
    const long = half(0);
    await configure({ Network: '10.0.0.0/16', SubnetLen: 18 });
    const results = await Promise.allSettled([...long, ...half(3)]);
    for (const result of results) {
      if (result.status === 'rejected') expect(isStoreError(result.reason, 'full')).toBe(true);
    }
    const subnets = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.subnet] : []));
    for (const [i, subnet] of subnets.entries()) {
      for (const other of subnets.slice(i + 1)) {
        expect([`${subnet} ${other}`, subnet !== undefined && other?.overlaps(subnet)]).toEqual([
          `${subnet} ${other}`,
          false,
        ]);
      }
    }
    expect(messagesOf(await storeOf().snapshot(signal)).filter((text) => text.includes('overlaps'))).toEqual(
      [],
    );
  });

  test('as processes of their own get different subnets, and those that come too late learn that it is full', async () => {
    const module = new URL('./directory-lease-store.ts', import.meta.url);
    const address = new URL('../../net/address.ts', import.meta.url);
    // Each waits for the same moment, so that all of them claim at once.
    const program = `
      import { DirectoryLeaseStore } from ${JSON.stringify(module.href)};
      import { IpAddress } from ${JSON.stringify(address.href)};
      const [directory, n, start] = process.argv.slice(1);
      const store = new DirectoryLeaseStore({ directory });
      const request = { node: 'p' + n, publicIp: IpAddress.parse('192.0.2.' + n), backendType: 'host-gw' };
      while (Date.now() < Number(start));
      const signal = new AbortController().signal;
      const said = await store.acquire(request, signal).then((lease) => String(lease.subnet), (error) => error.code);
      process.stdout.write(said);`;
    const start = Date.now() + 1_000;
    const run = promisify(execFile);
    const said = await Promise.all(
      Array.from({ length: 5 }, async (_, n) => {
        const argv = ['--input-type=module', '-e', program, '--', directory, String(n + 1), String(start)];
        return (await run(process.execPath, argv, { env: {} })).stdout;
      }),
    );
    expect(said.sort()).toEqual(['10.0.0.128/26', '10.0.0.192/26', '10.0.0.64/26', 'full', 'full']);
    expect(await files()).toHaveLength(3);
    // Five processes of Node start, beside whatever the other tests do.
  }, 60_000);
});

describe('renewing', () => {
  test('moves the end, and keeps the lease from being taken', async () => {
    const store = storeOf();
    const lease = await store.acquire(requestOf(1), signal);
    clock += ttlMs - 10;
    const renewed = await store.renew(lease, signal);
    expect(renewed.expiresAt).toBe(clock + ttlMs);
    clock += ttlMs - 10;
    expect((await storeOf().snapshot(signal)).leases.get(leaseKey(lease))?.expiresAt).toBe(renewed.expiresAt);
  });

  test('works after the end as long as nobody has taken the subnet', async () => {
    const store = storeOf();
    const lease = await store.acquire(requestOf(1), signal);
    clock += 2 * ttlMs;
    expect(keysOf(await storeOf().snapshot(signal))).toEqual([]);
    await store.renew(lease, signal);
    expect(keysOf(await storeOf().snapshot(signal))).toEqual([leaseKey(lease)]);
  });

  test('puts back what was changed by hand, also garbage', async () => {
    const store = storeOf();
    const lease = await store.acquire(requestOf(1), signal);
    const path = pathOf(leaseKey(lease));
    const text = await readFile(path, 'utf8');
    for (const bad of [text.replace('192.0.2.1', '192.0.2.9'), text.slice(0, 20), '', ' '.repeat(70_000)]) {
      await writeFile(path, bad);
      await store.renew(lease, signal);
      expect(await readFile(path, 'utf8')).toBe(text);
    }
    expect(await files()).toHaveLength(1);
  });

  test('of a lease that is gone or another node’s is an error with code "lost"', async () => {
    const store = storeOf();
    const lease = await store.acquire(requestOf(1), signal);
    const key = leaseKey(lease);
    await put(key, flannelValue(2, 'n2'));
    const error = await errorOf(store.renew(lease, signal));
    expect(error.code).toBe('lost');
    expect(error.message).toBe(`Cannot renew lease "${pathOf(key)}": it is gone or another node's`);
    expect(await readFile(pathOf(key), 'utf8')).toContain('"n2"');
    await unlink(pathOf(key));
    expect((await errorOf(store.renew(lease, signal))).code).toBe('lost');
    expect((await store.acquire(requestOf(1), signal)).node).toBe('n1');
  });
});

describe('the end of a lease', () => {
  test('hides it, and lets another node take the subnet once no other is free', async () => {
    const store = storeOf();
    const lost = await store.acquire(requestOf(1), signal);
    clock += ttlMs + 1;
    expect(keysOf(await store.snapshot(signal))).toEqual([]);
    const others = [];
    for (const n of [2, 3]) others.push(subnetOf(await storeOf().acquire(requestOf(n), signal)));
    expect(others).not.toContain(subnetOf(lost));
    expect(subnetOf(await storeOf().acquire(requestOf(4), signal))).toBe(subnetOf(lost));
    expect((await errorOf(store.renew(lost, signal))).code).toBe('lost');
    expect((await errorOf(store.acquire(requestOf(1), signal))).code).toBe('full');
  });

  test('does not cost a node its subnet while nobody needs it', async () => {
    const lease = await storeOf().acquire(requestOf(1), signal);
    clock += 10 * ttlMs;
    await storeOf().acquire(requestOf(2), signal);
    expect(subnetOf(await storeOf().acquire(requestOf(1), signal))).toBe(subnetOf(lease));
  });
});

describe('releasing', () => {
  test('removes our file, and only ours', async () => {
    const store = storeOf();
    const lease = await store.acquire(requestOf(1), signal);
    await put(leaseKey(lease), flannelValue(2, 'n2'));
    await store.release(lease, signal);
    expect(await files()).toHaveLength(1);
    await put(leaseKey(lease), flannelValue(1, 'n1'));
    await store.release(lease, signal);
    expect(await files()).toEqual([]);
    await store.release(lease, signal);
  });
});

describe('a snapshot', () => {
  test('holds the good leases and names what is wrong with the others', async () => {
    await configure({ Network: '10.0.0.0/16' });
    await put('10.0.1.0-24', flannelValue(1, 'n1'), 100);
    await put('10.0.2.0-24', { ...flannelValue(2), BackendData: { VNI: 1, VtepMAC: '00:00:00:00:00:00' } });
    await put('10.0.0.0-23', flannelValue(3, 'n3'));
    await put('10.7.1.0-16', flannelValue(4));
    await put('10.8.0.0-16', flannelValue(5));
    await put('10.0.6.0-24', '{"PublicIP":"192.0');
    await put('10.0.7.0-24', flannelValue(1, 'n7'));
    await writeFile(join(directory, 'subnets', 'notes'), '');
    await mkdir(pathOf('10.0.9.0-24'));
    const snapshot = await storeOf().snapshot(signal);
    expect(keysOf(snapshot)).toEqual(['10.0.1.0-24']);
    expect(messagesOf(snapshot).sort()).toEqual([
      'Cannot read "subnets/10.0.6.0-24.json": it is not JSON (half-written?): "{\\"PublicIP\\":\\"192.0"',
      'Cannot read "subnets/10.0.9.0-24.json": it is not a regular file',
      'Cannot read "subnets/notes": a lease file is named KEY.json',
      'Cannot read lease "subnets/10.0.2.0-24.json": BackendData.VtepMAC: "00:00:00:00:00:00" is the zero MAC address',
      'Cannot read lease "subnets/10.7.1.0-16.json": key: "10.7.1.0-16" has host bits set: the subnet is 10.7.0.0/16',
      'Cannot use lease "subnets/10.0.0.0-23.json": "10.0.0.0/23" overlaps "10.0.1.0/24" of node "n1" in "subnets/10.0.1.0-24.json"',
      'Cannot use lease "subnets/10.0.7.0-24.json": the public address "192.0.2.1" is also that of node "n1" in "subnets/10.0.1.0-24.json"',
      'Cannot use lease "subnets/10.8.0.0-16.json": "10.8.0.0/16" is outside of the network "10.0.0.0/16"',
    ]);
  });

  test('keeps the last good lease and configuration while the files are broken', async () => {
    const store = storeOf();
    await put('10.0.0.64-26', flannelValue(1, 'n1'));
    const before = await store.snapshot(signal);
    expect(messagesOf(before)).toEqual([]);
    await writeFile(pathOf('10.0.0.64-26'), '{');
    await setAge('10.0.0.64-26', 0);
    await writeFile(join(directory, 'config'), '{');
    const broken = await store.snapshot(signal);
    expect(broken.leases).toEqual(before.leases);
    expect(broken.config).toEqual(before.config);
    expect(messagesOf(broken)).toEqual([
      'Cannot read "config": it is not JSON (half-written?): "{"',
      'Cannot read "subnets/10.0.0.64-26.json": it is not JSON (half-written?): "{"',
    ]);
    await unlink(pathOf('10.0.0.64-26'));
    expect(keysOf(await store.snapshot(signal))).toEqual([]);
  });

  test('has the same object for a lease that did not change, and a new one for a renewal', async () => {
    const [quiet, renewed, changed] = ['10.0.0.0-26', '10.0.0.64-26', '10.0.0.128-26'] as const;
    for (const [i, key] of [quiet, renewed, changed].entries()) await put(key, flannelValue(i + 1), 900);
    const store = storeOf();
    const first = (await store.snapshot(signal)).leases;
    await setAge(renewed, 500);
    await put(changed, flannelValue(4), 900);
    await put('10.0.0.192-26', flannelValue(5), 900);
    const second = (await store.snapshot(signal)).leases;
    expect(second.get(quiet)).toBe(first.get(quiet));
    expect(second.get(renewed)).toEqual({ ...first.get(renewed), expiresAt: clock - 500 + ttlMs });
    expect(String(second.get(changed)?.publicIp)).toBe('192.0.2.4');
    await unlink(pathOf('10.0.0.192-26'));
    const third = (await store.snapshot(signal)).leases;
    expect([...third.keys()]).toEqual([quiet, changed, renewed]);
    for (const [key, lease] of third) expect(lease).toBe(second.get(key));
    // An older snapshot stays what it was.
    expect([...first.keys()]).toEqual([quiet, changed, renewed]);
  });

  test('is not disturbed by a file named like a lease without its ending', async () => {
    await put('10.0.0.64-26', flannelValue(1));
    const stray = join(directory, 'subnets', '10.0.0.64-26');
    await writeFile(stray, '');
    const store = storeOf();
    for (const _ of [1, 2]) expect(keysOf(await store.snapshot(signal))).toEqual(['10.0.0.64-26']);
    await unlink(stray);
    expect(messagesOf(await store.snapshot(signal))).toEqual([]);
  });

  test('keeps the last good lease without an end while its name leads to no file', async () => {
    const store = storeOf();
    await put('10.0.0.64-26', flannelValue(1));
    await store.snapshot(signal);
    await unlink(pathOf('10.0.0.64-26'));
    await mkdir(pathOf('10.0.0.64-26'));
    const { leases } = await store.snapshot(signal);
    expect([...leases.values()].map(({ expiresAt }) => expiresAt)).toEqual([undefined]);
  });

  test('never loses our own lease to one that overlaps it, however old that says it is', async () => {
    const store = storeOf();
    const lease = await store.acquire(requestOf(1), signal);
    await put('10.0.0.0-24', flannelValue(2, 'n2'), ttlMs - 5_000);
    expect(keysOf(await store.snapshot(signal))).toEqual([leaseKey(lease)]);
    await store.renew(lease, signal);
    expect(keysOf(await store.snapshot(signal))).toEqual([leaseKey(lease)]);
  });
});

describe.each<readonly [string, typeof common]>([
  ['what the kernel tells', { watch: 'notify' }],
  ['looking again and again', { watch: 'poll', pollMs: 20 }],
])('watching by %s', (_, options) => {
  beforeEach(() => {
    common = options;
  });

  /** Reads the watch until a state is as wished; the test's own time limit is the only one. */
  async function until(
    states: AsyncIterator<LeaseSnapshot>,
    isWished: (snapshot: LeaseSnapshot) => boolean,
  ): Promise<LeaseSnapshot> {
    for (;;) {
      const { value, done } = await states.next();
      if (done) throw new Error('The watch ended');
      if (isWished(value)) return value;
    }
  }

  const has = (...keys: readonly string[]) => {
    return (snapshot: LeaseSnapshot) => keysOf(snapshot).join() === keys.join();
  };

  const isSound = ({ problems }: LeaseSnapshot) => problems.length === 0;

  test('yields the state now, and each change of leases and configuration', async () => {
    const states = storeOf({ rescanMs: 600_000 }).watch(signal)[Symbol.asyncIterator]();
    await until(states, has());
    const other = storeOf();
    const lease = await other.acquire(requestOf(1), signal);
    await until(states, has(leaseKey(lease)));
    await put('10.0.0.0-26', flannelValue(2));
    await until(states, has('10.0.0.0-26', ...[leaseKey(lease)]));
    await other.release(lease, signal);
    await until(states, has('10.0.0.0-26'));
    await configure({ Network: '10.0.0.0/23' });
    await until(states, ({ config }) => String(config?.ip4?.network) === '10.0.0.0/23');
    await writeFile(pathOf('10.0.0.0-26'), '{"Pub');
    const broken = await until(states, ({ problems }) => problems.length > 0);
    expect(keysOf(broken)).toEqual(['10.0.0.0-26']);
    await put('10.0.0.0-26', flannelValue(3));
    const mended = await until(states, ({ problems }) => problems.length === 0);
    expect(String(mended.leases.get('10.0.0.0-26')?.publicIp)).toBe('192.0.2.3');
  });

  describe('forgets what is wrong once it is mended or gone:', () => {
    const key = '10.0.0.64-26';
    /** Makes the fault; no rescan is to find that it has gone. */
    const faults: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
      'half a file': (path) => writeFile(path, '{"Pub'),
      'an empty file': (path) => writeFile(path, ''),
      'a file that is too large': (path) => writeFile(path, ' '.repeat(70_000)),
      'a symbolic link': (path) => symlink('/etc/passwd', path),
      'a link to nowhere': (path) => symlink('nowhere', path),
      'a folder': (path) => mkdir(path),
      'a lease outside of the network': (path) => writeFile(path, JSON.stringify(flannelValue(1))),
    };
    for (const [name, make] of Object.entries(faults)) {
      const named = name.includes('outside') ? '10.9.0.0-26' : key;
      test(name, async () => {
        await mkdir(join(directory, 'subnets'));
        const states = storeOf({ rescanMs: 600_000 }).watch(signal)[Symbol.asyncIterator]();
        await until(states, has());
        for (const _ of ['once', 'again']) {
          await make(pathOf(named));
          await until(states, ({ problems }) => problems.length === 1);
          await rm(pathOf(named), { recursive: true });
          await until(states, ({ problems }) => problems.length === 0);
        }
        await make(pathOf(named));
        await until(states, ({ problems }) => problems.length === 1);
        await rm(pathOf(named), { recursive: true });
        await put(key, flannelValue(1));
        await until(states, (snapshot) => has(key)(snapshot) && isSound(snapshot));
      });
    }

    test('a fault that was there before the watch', async () => {
      await put(key, '{"Pub');
      await writeFile(join(directory, 'subnets', 'garbage.json'), '{}');
      const states = storeOf({ rescanMs: 600_000 }).watch(signal)[Symbol.asyncIterator]();
      await until(states, ({ problems }) => problems.length === 2);
      await unlink(join(directory, 'subnets', 'garbage.json'));
      await until(states, ({ problems }) => problems.length === 1);
      await unlink(pathOf(key));
      await until(states, isSound);
    });

    test('names that are no lease', async () => {
      await mkdir(join(directory, 'subnets'));
      const states = storeOf({ rescanMs: 600_000 }).watch(signal)[Symbol.asyncIterator]();
      await until(states, has());
      for (const name of ['garbage.json', 'notes', '10.7.1.0-16.json', key]) {
        const path = join(directory, 'subnets', name);
        await writeFile(path, '{}');
        await until(states, ({ problems }) => problems[0]?.object === path);
        await rename(path, join(directory, 'subnets', `.${name}`));
        await until(states, isSound);
      }
    });

    test('a configuration that is gone or wrong', async () => {
      const states = storeOf({ rescanMs: 600_000 }).watch(signal)[Symbol.asyncIterator]();
      await until(states, isSound);
      const path = join(directory, 'config');
      const wrongs = [
        () => writeFile(path, '{'),
        () => unlink(path),
        () => rm(path).then(() => mkdir(path)),
        () => rm(path).then(() => symlink('elsewhere', path)),
      ];
      for (const wrong of wrongs) {
        await wrong();
        const broken = await until(states, ({ problems }) => problems.length > 0);
        expect(broken.config).toBeDefined();
        await rm(path, { recursive: true, force: true });
        await configure({ Network: '10.0.0.0/24', SubnetLen: 26 });
        await until(states, isSound);
      }
    });

    test('a lease that was left out and has ended', async () => {
      await put(key, flannelValue(1, 'n1'));
      await put('10.0.0.64-27', flannelValue(2, 'n2'));
      const ends = { ttlMs: 400, now: Date.now, rescanMs: 600_000 };
      const states = storeOf(ends).watch(signal)[Symbol.asyncIterator]();
      await until(states, ({ problems }) => problems.length === 1);
      await until(states, isSound);
    });

    test('a directory that could not be watched', async () => {
      const inTheWay = join(directory, 'file');
      await writeFile(inTheWay, '');
      const store = storeOf({ directory: join(inTheWay, 'leases'), rescanMs: 50 });
      const states = store.watch(signal)[Symbol.asyncIterator]();
      await until(states, ({ problems }) => problems.length > 0);
      await unlink(inTheWay);
      await mkdir(join(inTheWay, 'leases', 'subnets'), { recursive: true });
      await writeFile(join(inTheWay, 'leases', 'config'), '{"Network":"10.0.0.0/16"}');
      await until(states, ({ config, problems }) => config !== undefined && problems.length === 0);
    });
  });

  test('waits for a directory that is not there yet', async () => {
    const late = join(directory, 'later', 'leases');
    const store = storeOf({ directory: late, rescanMs: 600_000 });
    const states = store.watch(signal)[Symbol.asyncIterator]();
    const first = await until(states, () => true);
    // Not the whole list: chokidar also reports the missing parent when jest's Error is not its own.
    expect(first.problems[0]?.message).toBe(
      `Cannot read network configuration "${join(late, 'config')}": there is no such file`,
    );
    await mkdir(late, { recursive: true });
    await writeFile(join(late, 'config'), '{"Network":"10.0.0.0/16"}');
    await until(states, ({ config }) => config !== undefined);
    await mkdir(join(late, 'subnets'));
    await writeFile(join(late, 'subnets', '10.0.1.0-24.json'), JSON.stringify(flannelValue(1)));
    await until(states, has('10.0.1.0-24'));
  });

  test('notices the end of a lease by itself', async () => {
    const store = storeOf({ ttlMs: 1500, now: Date.now, rescanMs: 600_000 });
    const lease = await store.acquire(requestOf(1), signal);
    const states = storeOf({ ttlMs: 1500, now: Date.now, rescanMs: 600_000 })
      .watch(signal)
      [Symbol.asyncIterator]();
    await until(states, has(leaseKey(lease)));
    await until(states, has());
  });

  test('finds what nobody reports by looking again', async () => {
    // Behind a link nothing is watched, as nothing is reported by other machines in a network file system.
    const elsewhere = join(directory, '.elsewhere');
    await mkdir(elsewhere);
    await symlink(elsewhere, join(directory, 'subnets'));
    const states = storeOf({ rescanMs: 30 }).watch(signal)[Symbol.asyncIterator]();
    const keys = ['10.0.0.0-26', '10.0.0.128-26', '10.0.0.64-26'];
    for (const [i, key] of keys.entries()) {
      await put(key, flannelValue(i + 1));
      await until(states, has(...keys.slice(0, i + 1)));
    }
    // The clock passes the end of the lease, and no timer knows.
    clock += ttlMs + 1;
    await until(states, has());
  });

  test('does not wake its readers for a renewal', async () => {
    const store = storeOf({ rescanMs: 20 });
    const lease = await store.acquire(requestOf(1), signal);
    const states = store.watch(signal)[Symbol.asyncIterator]();
    await until(states, has(leaseKey(lease)));
    const next = states.next();
    clock += 1_000;
    await store.renew(lease, signal);
    expect((await store.snapshot(signal)).leases.get(leaseKey(lease))?.expiresAt).toBe(clock + ttlMs);
    const second = await storeOf().acquire(requestOf(2), signal);
    expect(keysOf((await next).value ?? { config: undefined, leases: new Map(), problems: [] })).toContain(
      leaseKey(second),
    );
  });

  test('ends with the signal, and when the store is closed', async () => {
    const controller = new AbortController();
    const store = storeOf();
    const [aborted, closed] = [store.watch(controller.signal), store.watch(signal)].map((states) =>
      states[Symbol.asyncIterator](),
    );
    await aborted?.next();
    await closed?.next();
    const ends = [aborted?.next(), closed?.next()];
    controller.abort();
    expect((await ends[0])?.done).toBe(true);
    await store.close();
    expect((await ends[1])?.done).toBe(true);
  });
});
