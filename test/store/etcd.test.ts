// What only etcd has: leases of its own under the keys, reservations, members that die, a watch that is cut, compacted and put back, TLS
// and users. On a real etcd, single and of three members.
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createLeaseHolder } from '../../agent/lease-holder.ts';
import { realClock } from '../../runtime/clock.ts';
import { EtcdLeaseStore, type EtcdLeaseStoreOptions } from '../../store/etcd/etcd-lease-store.ts';
import { leaseKey } from '../../store/lease-key.ts';
import type { SourceStatus } from '../../store/source-status.ts';
import { isStoreError } from '../../store/store-error.ts';
import { EtcdCluster, type EtcdClusterOptions, etcdFault, wireTo } from './etcd-cluster.ts';
import { errorOf, flannelValue, keysOf, requestOf, subnetOf, Watching } from './lease-store-suite.ts';
import { opensslFault, testPki } from './test-pki.ts';

const prefix = '/coreos.com/network';
const subnets = `${prefix}/subnets/`;
const { signal } = new AbortController();
const network = '{"Network":"10.0.0.0/24","SubnetLen":26,"Backend":{"Type":"vxlan"}}';

const fault = etcdFault();
const describeEtcd = fault === undefined ? describe : describe.skip;
if (fault !== undefined) test.skip(`etcd: ${fault}`, () => undefined);

let opened: EtcdLeaseStore[] = [];
let cluster: EtcdCluster | undefined;

afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  opened = [];
  await cluster?.[Symbol.asyncDispose]();
  cluster = undefined;
});

async function start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
  cluster = await EtcdCluster.start(options);
  await cluster.put(`${prefix}/config`, network);
  return cluster;
}

function open(
  endpoints: readonly string[],
  options: Partial<EtcdLeaseStoreOptions> = {},
  onStatus: (status: SourceStatus) => void = () => {},
): EtcdLeaseStore {
  const store = new EtcdLeaseStore({ endpoints, prefix, ...options }, { onStatus });
  opened.push(store);
  return store;
}

async function until(test: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await test())) {
    if (Date.now() > deadline) throw new Error('It has not come true in 30 s');
    await delay(20);
  }
}

async function ttlOf(etcd: EtcdCluster, id: string): Promise<{ ttl: number; granted: number }> {
  const hex = BigInt(id).toString(16);
  const said = await etcd.ctl('lease', 'timetolive', hex);
  const [, granted, ttl] = /granted with TTL\((\d+)s\), remaining\((\d+)s\)/.exec(said) ?? [];
  return { ttl: Number(ttl), granted: Number(granted) };
}

const leaseIds = async (etcd: EtcdCluster) =>
  (await etcd.raw(subnets)).map(({ lease }) => String(lease ?? 0));

describeEtcd('the lease of etcd under a key', () => {
  test('is as long as the TTL, is kept alive and not made anew, and outlives a restart of the agent', async () => {
    const etcd = await start();
    const store = open(etcd.endpoints, { ttlMs: 60_000 });
    const lease = await store.acquire(requestOf(1), signal);
    const [id = ''] = await leaseIds(etcd);
    await until(async () => (await ttlOf(etcd, id)).ttl < 59);
    const before = await etcd.revision();
    await store.renew(lease, signal);
    expect(await ttlOf(etcd, id)).toEqual({ granted: 60, ttl: expect.any(Number) });
    expect((await ttlOf(etcd, id)).ttl).toBeGreaterThanOrEqual(58);
    const again = await open(etcd.endpoints, { ttlMs: 60_000 }).acquire(requestOf(1), signal);
    expect([subnetOf(again), await leaseIds(etcd)]).toEqual([subnetOf(lease), [id]]);
    // Nothing was written: peers hear nothing of a renewal.
    expect(await etcd.revision()).toBe(before);
    expect((await etcd.ctl('lease', 'list')).match(/^[0-9a-f]+$/gm)).toHaveLength(1);
  });

  test('is another one after the TTL was set anew', async () => {
    const etcd = await start();
    const lease = await open(etcd.endpoints, { ttlMs: 60_000 }).acquire(requestOf(1), signal);
    const again = await open(etcd.endpoints, { ttlMs: 90_000 }).acquire(requestOf(1), signal);
    expect(subnetOf(again)).toBe(subnetOf(lease));
    const [id = ''] = await leaseIds(etcd);
    expect((await ttlOf(etcd, id)).granted).toBe(90);
  });

  test('takes the key along when it ends', async () => {
    const etcd = await start();
    const lease = await open(etcd.endpoints, { ttlMs: 2000 }).acquire(requestOf(1), signal);
    await using watching = new Watching(open(etcd.endpoints));
    await watching.until((now) => now.leases.size === 1);
    await watching.until((now) => now.leases.size === 0);
    expect((await errorOf(open(etcd.endpoints).renew(lease, signal))).code).toBe('lost');
  });

  test('that was revoked by hand costs the node nothing while its key stands', async () => {
    const etcd = await start();
    const store = open(etcd.endpoints);
    const holder = holderOf(store);
    const advertisement = advertisementOf(1);
    const { lease } = await holder.hold(advertisement, signal);
    await using watching = new Watching(store);
    await watching.until((now) => now.leases.size === 1);
    const [id = ''] = await leaseIds(etcd);
    await etcd.ctl('lease', 'revoke', BigInt(id).toString(16));
    holder.notice(await watching.until((now) => now.leases.size === 0));
    expect(holder.isHeld).toBe(false);
    const held = await holder.hold(advertisement, signal);
    expect(String(held.lease?.subnet)).toBe(String(lease?.subnet));
  });
});

function holderOf(store: EtcdLeaseStore, told: string[] = []) {
  return createLeaseHolder({
    store,
    node: 'n1',
    clock: realClock,
    renewInterval: 60_000,
    previous: () => undefined,
    onNews: (news) => told.push(news),
  });
}

describeEtcd('our own key', () => {
  test('that is deleted is taken again, and that another took moves us; both are said', async () => {
    const etcd = await start();
    const store = open(etcd.endpoints);
    const told: string[] = [];
    const holder = holderOf(store, told);
    const advertisement = advertisementOf(1);
    const { lease } = await holder.hold(advertisement, signal);
    if (lease === undefined) throw new Error('no lease');
    const key = leaseKey(lease);
    await using watching = new Watching(store);
    await watching.until((now) => now.leases.has(key));

    await etcd.delete(subnets + key);
    holder.notice(await watching.until((now) => !now.leases.has(key)));
    expect(String((await holder.hold(advertisement, signal)).lease?.subnet)).toBe(subnetOf(lease));
    await watching.until((now) => now.leases.has(key));

    await etcd.put(subnets + key, JSON.stringify(flannelValue(2)));
    holder.notice(
      await watching.until((now) => now.leases.get(key)?.node === undefined && now.leases.has(key)),
    );
    const moved = (await holder.hold(advertisement, signal)).lease;
    expect(String(moved?.subnet)).not.toBe(subnetOf(lease));
    expect(
      told.map((text) => text.replaceAll(String(moved?.subnet), 'NEW').replaceAll(subnetOf(lease), 'OLD')),
    ).toEqual([
      'the lease of OLD is gone from the store',
      'has the lease of OLD again',
      'the lease of OLD is another’s now: 192.0.2.2',
      'has moved from OLD to NEW: pods with addresses of the old subnet are not reached any more',
    ]);
    expect([...(await etcd.values(subnets))].length).toBe(2);
  });
});

describeEtcd('a reservation, which is a key without a lease', () => {
  test('is used by its node, stays a reservation, and belongs to nobody else', async () => {
    const etcd = await start();
    await etcd.put(`${subnets}10.0.0.128-26`, '{"PublicIP":"192.0.2.1"}');
    const store = open(etcd.endpoints);
    expect(subnetOf(await store.acquire(requestOf(2), signal))).not.toBe('10.0.0.128/26');
    const lease = await store.acquire(requestOf(1), signal);
    expect([subnetOf(lease), lease.expiresAt]).toEqual(['10.0.0.128/26', undefined]);
    expect((await store.renew(lease, signal)).expiresAt).toBeUndefined();
    await store.release(lease, signal);
    const raw = await etcd.raw(`${subnets}10.0.0.128-26`);
    expect(raw.map(({ lease: id }) => id)).toEqual([undefined]);
    expect((await etcd.values(subnets)).get(`${subnets}10.0.0.128-26`)).toContain('"VtepMAC"');
  });
});

describeEtcd('a watch', () => {
  test('goes on after a cut, without reading anew what it has, and tells of the outage', async () => {
    const etcd = await start();
    await using wire = await wireTo(etcd.portOf(0));
    const states: SourceStatus[] = [];
    const store = open([wire.url], {}, (status) => states.push(status));
    await etcd.put(`${subnets}10.0.0.64-26`, JSON.stringify(flannelValue(1)));
    await using watching = new Watching(store);
    const first = await watching.until((now) => now.leases.size === 1);
    await until(() => states.length === 1);
    wire.cut();
    const dark = await watching.until((now) => now.problems.length === 1);
    expect([keysOf(dark), dark.config === first.config]).toEqual([['10.0.0.64-26'], true]);
    expect(dark.problems[0]?.message).toContain(wire.url);
    expect((await errorOf(store.acquire(requestOf(1), signal))).code).toBe('unavailable');
    await etcd.put(`${subnets}10.0.0.128-26`, JSON.stringify(flannelValue(2)));
    wire.mend();
    const after = await watching.until((now) => now.problems.length === 0 && now.leases.size === 2);
    expect(after.leases.get('10.0.0.64-26')).toBe(first.leases.get('10.0.0.64-26'));
    expect(states.map((state) => state.kind === 'etcd' && state.connected)).toEqual([true, false, true]);
  });

  test('that was cut while its place was compacted away ends up with exactly what there is', async () => {
    const etcd = await start();
    await using wire = await wireTo(etcd.portOf(0));
    for (const n of [1, 2]) await etcd.put(`${subnets}10.0.0.${n * 64}-26`, JSON.stringify(flannelValue(n)));
    await using watching = new Watching(open([wire.url]));
    const first = await watching.until((now) => now.leases.size === 2);
    wire.cut();
    await etcd.delete(`${subnets}10.0.0.64-26`);
    await etcd.put(`${subnets}10.0.0.192-26`, JSON.stringify(flannelValue(3)));
    for (let i = 0; i < 5; i++) await etcd.put('other', String(i));
    await etcd.ctl('compact', String(await etcd.revision()));
    wire.mend();
    const after = await watching.until((now) => now.leases.has('10.0.0.192-26'));
    expect(keysOf(after)).toEqual(['10.0.0.128-26', '10.0.0.192-26']);
    expect(after.leases.get('10.0.0.128-26')).toBe(first.leases.get('10.0.0.128-26'));
    await etcd.delete(`${subnets}10.0.0.192-26`);
    await watching.until((now) => now.leases.size === 1);
  });

  test('sees a database that was put back to an older state', async () => {
    const etcd = await start();
    for (const n of [1, 2]) await etcd.put(`${subnets}10.0.0.${n * 64}-26`, JSON.stringify(flannelValue(n)));
    await using watching = new Watching(open(etcd.endpoints));
    await watching.until((now) => now.leases.size === 2);
    await etcd.kill(0);
    etcd.forget(0);
    etcd.launch(0);
    await etcd.ready();
    // Without a configuration, that is; that etcd was away is told until it answers.
    const empty = await watching.until((now) => now.leases.size === 0 && now.problems.length === 1);
    expect(empty.problems[0]?.object).toContain('/config');
    // The last good one stays.
    expect(empty.config?.ip4?.subnetLength).toBe(26);
    await etcd.put(`${prefix}/config`, network);
    await etcd.put(`${subnets}10.0.0.192-26`, JSON.stringify(flannelValue(3)));
    await watching.until((now) => now.problems.length === 0 && keysOf(now).join() === '10.0.0.192-26');
  });

  test('notices a member that hangs without a word, and goes on with it when it comes back', async () => {
    const etcd = await start();
    const store = open(etcd.endpoints, { timeoutMs: 500 });
    await using watching = new Watching(store);
    await watching.until((now) => now.config !== undefined);
    etcd.signal(0, 'SIGSTOP');
    const hung = await errorOf(store.networkConfig(signal));
    expect(hung.message).toContain('it did not answer in time');
    await watching.until((now) => now.problems.length === 1);
    etcd.signal(0, 'SIGCONT');
    await etcd.put(`${subnets}10.0.0.64-26`, JSON.stringify(flannelValue(1)));
    await watching.until((now) => now.problems.length === 0 && now.leases.size === 1);
  });

  test('begins with the outage when etcd cannot be reached at the start, and then with its leases', async () => {
    const etcd = await start();
    await using wire = await wireTo(etcd.portOf(0));
    wire.cut();
    await using watching = new Watching(open([wire.url]));
    const first = await watching.next();
    expect([first.config, first.problems.length]).toEqual([undefined, 1]);
    wire.mend();
    await watching.until((now) => now.config !== undefined && now.problems.length === 0);
  });

  test('shows what hostile peers write, and believes none of it', async () => {
    const etcd = await start();
    const store = open(etcd.endpoints);
    const lease = await store.acquire(requestOf(1), signal);
    await using watching = new Watching(store);
    await watching.until((now) => now.leases.size === 1);
    const bad: readonly (readonly [string, string])[] = [
      ['10.0.0.64-27', JSON.stringify(flannelValue(5))],
      ['10.0.0.128-27', JSON.stringify(flannelValue(6))],
      ['10.0.0.192-27', JSON.stringify(flannelValue(7))],
      ['10.0.0.0-26', JSON.stringify({ ...flannelValue(8), BackendData: { VNI: 1, VtepMAC: '$(reboot)' } })],
      ['8.8.8.0-24', JSON.stringify(flannelValue(9))],
      ['$(reboot)', JSON.stringify(flannelValue(9))],
      ['10.0.0.4-30', `{"PublicIP":"192.0.2.9","x":"${'y'.repeat(70_000)}"}`],
      ['10.0.0.8-30', JSON.stringify({ ...flannelValue(1), Node: 'impostor' })],
    ];
    for (const [key, value] of bad) await etcd.put(subnets + key, value);
    // Two of the three halves are not ours and overlap nothing.
    const now = await watching.until(({ problems }) => problems.length === 6);
    expect(now.leases.get(leaseKey(lease))?.node).toBe('n1');
    expect(keysOf(now)).toHaveLength(3);
    expect(now.problems.map(({ message }) => message).join('\n')).toMatch(
      /overlaps|outside|VtepMAC|65536|public address/,
    );
    expect(now.problems.every(({ object }) => object.startsWith(subnets))).toBe(true);
  });
});

describeEtcd('three members', () => {
  test('die one after another: the next is asked, without a quorum nothing is lost, and all comes right', async () => {
    const etcd = await start({ members: 3 });
    const store = open(etcd.endpoints);
    const lease = await store.acquire(requestOf(1), signal);
    await using watching = new Watching(store);
    await watching.until((now) => now.leases.size === 1);
    for (const dead of [0, 1, 2]) {
      await etcd.kill(dead);
      await etcd.ready();
      await store.renew(lease, signal);
      await etcd.put(`${subnets}10.0.0.${dead === 0 ? 0 : 4}-30`, JSON.stringify(flannelValue(dead + 5)));
      await watching.until((now) => now.leases.size === (dead === 0 ? 2 : 3) && now.problems.length === 0);
      etcd.launch(dead);
      await etcd.ready();
    }
    await etcd.kill(0);
    await etcd.kill(1);
    const dark = await watching.until((now) => now.problems.length > 0);
    expect(dark.leases.size).toBe(3);
    expect((await errorOf(store.renew(lease, signal))).code).toBe('unavailable');
    etcd.launch(0);
    etcd.launch(1);
    await etcd.ready();
    await watching.until((now) => now.problems.length === 0);
    await etcd.delete(`${subnets}10.0.0.4-30`);
    const after = await watching.until((now) => now.leases.size === 2);
    expect(after.leases.get(leaseKey(lease))?.node).toBe('n1');
    expect(subnetOf(await store.renew(lease, signal))).toBe(subnetOf(lease));
  });

  test('give sixty nodes that start together sixty subnets', async () => {
    const etcd = await start({ members: 3 });
    await etcd.put(`${prefix}/config`, '{"Network":"10.0.0.0/16","SubnetLen":22}');
    // 62 subnets: most of them are wanted by several.
    const leases = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        open(etcd.endpoints).acquire(
          requestOf(n + 1, { backendType: 'host-gw', backendData: undefined }),
          signal,
        ),
      ),
    );
    expect(new Set(leases.map(subnetOf)).size).toBe(60);
    const snapshot = await open(etcd.endpoints).snapshot(signal);
    expect([snapshot.leases.size, snapshot.problems]).toEqual([60, []]);
    // Those who lost have given their leases back.
    expect((await etcd.ctl('lease', 'list')).match(/^[0-9a-f]+$/gm)).toHaveLength(60);
  });
});

const noTls = opensslFault();
const describeTls = noTls === undefined ? describeEtcd : describe.skip;
if (noTls !== undefined) test.skip(`TLS of etcd: ${noTls}`, () => undefined);

describeTls('TLS', () => {
  test('with a CA only, and no other CA is believed', async () => {
    using pki = testPki();
    const etcd = await start({ pki });
    expect((await open(etcd.endpoints, { tls: { ca: pki.ca } }).acquire(requestOf(1), signal)).node).toBe(
      'n1',
    );
    for (const tls of [{ ca: pki.otherCa }, {}]) {
      const error = await errorOf(open(etcd.endpoints, { tls }).networkConfig(signal));
      expect([error.code, error.message]).toEqual(['unavailable', expect.stringContaining('certificate')]);
    }
  });

  test('with client certificates, and not without; files that cannot be read are named', async () => {
    using pki = testPki();
    const etcd = await start({ pki, clientCertificates: true });
    const tls = { ca: pki.ca, ...pki.client };
    await using watching = new Watching(open(etcd.endpoints, { tls }));
    await watching.next();
    expect((await open(etcd.endpoints, { tls }).acquire(requestOf(1), signal)).node).toBe('n1');
    await watching.until((now) => now.leases.size === 1);
    expect((await errorOf(open(etcd.endpoints, { tls: { ca: pki.ca } }).networkConfig(signal))).code).toBe(
      'unavailable',
    );
    const broken = `${pki.client.key}.broken`;
    writeFileSync(broken, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n');
    for (const key of ['/nowhere/key.pem', broken]) {
      const wrong = { ...tls, key };
      const error = thrownBy(() => open(etcd.endpoints, { tls: wrong }));
      expect(isStoreError(error, 'invalid')).toBe(true);
      expect(String(error)).toContain(key);
      expect(String(error)).not.toContain('c2VjcmV0');
    }
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('It threw nothing');
}

describeEtcd('users', () => {
  async function withUsers(): Promise<EtcdCluster> {
    const etcd = await start();
    await etcd.ctl('user', 'add', 'root:topsecret');
    await etcd.ctl('user', 'grant-role', 'root', 'root');
    await etcd.ctl('role', 'add', 'nodes');
    await etcd.ctl('role', 'grant-permission', 'nodes', '--prefix=true', 'readwrite', `${prefix}/`);
    await etcd.ctl('user', 'add', 'node:nodesecret');
    await etcd.ctl('user', 'grant-role', 'node', 'nodes');
    await etcd.ctl('role', 'add', 'strangers');
    await etcd.ctl('user', 'add', 'stranger:strangersecret');
    await etcd.ctl('user', 'grant-role', 'stranger', 'strangers');
    return etcd;
  }

  const userOf = (name: string, text: string) => ({ user: { name, password: { text } } });

  test('are logged in, and again when their tokens end; nothing says the password', async () => {
    const etcd = await withUsers();
    await etcd.ctl('auth', 'enable');
    etcd.user = 'root:topsecret';
    const store = open(etcd.endpoints, userOf('node', 'nodesecret'));
    const lease = await store.acquire(requestOf(1), signal);
    await using watching = new Watching(store);
    await watching.until((now) => now.leases.size === 1);
    // Tokens are kept in memory and end with the process.
    await etcd.kill(0);
    etcd.launch(0);
    await etcd.ready();
    await store.renew(lease, signal);
    await etcd.put(`${subnets}10.0.0.0-30`, JSON.stringify(flannelValue(2)));
    await watching.until((now) => now.leases.size === 2 && now.problems.length === 0);
    // Rights that change make all tokens old.
    await etcd.ctl('role', 'grant-permission', 'nodes', 'read', 'elsewhere');
    await store.renew(lease, signal);

    const wrong = await errorOf(open(etcd.endpoints, userOf('node', 'guessed')).networkConfig(signal));
    expect(wrong.code).toBe('unavailable');
    expect(wrong.message).toContain('log in as user "node"');
    expect(`${wrong.message} ${wrong.stack} ${JSON.stringify(wrong)}`).not.toContain('guessed');
    const denied = await errorOf(
      open(etcd.endpoints, userOf('stranger', 'strangersecret')).networkConfig(signal),
    );
    expect(denied.message).toContain('permission denied');
    await using refused = new Watching(open(etcd.endpoints, userOf('stranger', 'strangersecret')));
    expect((await refused.next()).problems[0]?.message).toContain('permission denied');
  });

  test('may be given to a cluster that asks for none, and it may begin to ask; a file may hold the password', async () => {
    const etcd = await withUsers();
    const file = `/run/netloom-password-${process.pid}`;
    writeFileSync(file, 'nodesecret\n', { mode: 0o600 });
    const store = open(etcd.endpoints, { user: { name: 'node', password: { file } } });
    const lease = await store.acquire(requestOf(1), signal);
    await using watching = new Watching(store);
    await watching.until((now) => now.leases.size === 1);
    await etcd.ctl('auth', 'enable');
    etcd.user = 'root:topsecret';
    expect(subnetOf(await store.renew(lease, signal))).toBe(subnetOf(lease));
    const error = thrownBy(() =>
      open(etcd.endpoints, { user: { name: 'node', password: { file: '/nowhere' } } }),
    );
    expect(String(error)).toContain('Cannot read the password of etcd from "/nowhere": ENOENT');
  });
});

function advertisementOf(n: number) {
  const { publicIp, backendType, backendData } = requestOf(n);
  return { publicIp, backendType, backendData };
}
