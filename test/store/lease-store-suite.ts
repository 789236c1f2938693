// What every store of leases must do, whatever it keeps them in: run by each with a world of its own. What only one of them has (files,
// keys of etcd) is tested beside it.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Lease } from '../../store/lease.ts';
import { leaseKey } from '../../store/lease-key.ts';
import type { LeaseRequest, LeaseSnapshot, LeaseStore } from '../../store/lease-store.ts';
import { isStoreError, type StoreError } from '../../store/store-error.ts';

/** A place for leases, and another's hand in it. */
export interface LeaseWorld extends AsyncDisposable {
  open(): LeaseStore;
  /** Undefined takes it away. */
  configure(config: object | string | undefined): Promise<void>;
  /** Another writes a lease. */
  put(key: string, value: object | string): Promise<void>;
  remove(key: string): Promise<void>;
  /** Key -> value of the leases. */
  values(): Promise<ReadonlyMap<string, string>>;
}

export const requestOf = (n: number, more: Partial<LeaseRequest> = {}): LeaseRequest => ({
  node: `n${n}`,
  publicIp: IpAddress.parse(`192.0.2.${n}`),
  backendType: 'vxlan',
  backendData: { kind: 'vxlan', vni: 1, vtepMac: Mac.fromBytes(Uint8Array.of(2, 0, 0, 0, 0, n)) },
  ...more,
});

export const flannelValue = (n: number, node?: string) => ({
  PublicIP: `192.0.2.${n}`,
  PublicIPv6: null,
  BackendType: 'vxlan',
  BackendData: { VNI: 1, VtepMAC: `02:00:00:00:00:0${n}` },
  ...(node === undefined ? {} : { Node: node }),
});

export const subnetOf = (lease: Lease) => String(lease.subnet);
export const keysOf = ({ leases }: LeaseSnapshot) => [...leases.keys()];

export async function errorOf(promise: Promise<unknown>): Promise<StoreError> {
  try {
    await promise;
  } catch (error) {
    if (isStoreError(error)) return error;
    throw error;
  }
  throw new Error('Expected a StoreError');
}

/** Reads a watch until a snapshot is as wished. */
export class Watching implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #snapshots: AsyncIterator<LeaseSnapshot>;
  last: LeaseSnapshot | undefined;
  count = 0;

  constructor(store: LeaseStore) {
    this.#snapshots = store.watch(this.#abort.signal)[Symbol.asyncIterator]();
  }

  async next(): Promise<LeaseSnapshot> {
    const { value, done } = await this.#snapshots.next();
    if (done === true) throw new Error('The watch has ended');
    this.last = value;
    this.count++;
    return value;
  }

  async until(test: (snapshot: LeaseSnapshot) => boolean): Promise<LeaseSnapshot> {
    for (let now = this.last; ; now = await this.next()) if (now !== undefined && test(now)) return now;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#snapshots.return?.();
  }
}

const { signal } = new AbortController();
const network = { Network: '10.0.0.0/24', SubnetLen: 26, Backend: { Type: 'vxlan' } };

export function leaseStoreSuite(name: string, make: () => Promise<LeaseWorld>): void {
  describe(`a store of leases: ${name}`, () => {
    let world: LeaseWorld;
    let opened: LeaseStore[];

    beforeEach(async () => {
      opened = [];
      world = await make();
      await world.configure(network);
    });

    afterEach(async () => {
      await Promise.all(opened.map((store) => store.close()));
      await world[Symbol.asyncDispose]();
    });

    function store(): LeaseStore {
      const one = world.open();
      opened.push(one);
      return one;
    }

    const messagesOf = ({ problems }: LeaseSnapshot) => problems.map(({ message }) => message);

    describe('acquiring', () => {
      test('writes one value, flannel’s to the byte with the node at its end', async () => {
        const lease = await store().acquire(requestOf(1), signal);
        expect([...(await world.values())]).toEqual([
          [
            leaseKey(lease),
            '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"},"Node":"n1"}',
          ],
        ]);
      });

      test('gives a node the same subnet after a restart, with what it publishes now', async () => {
        const first = await store().acquire(requestOf(1), signal);
        await store().acquire(requestOf(2), signal);
        const changed = {
          publicIp: IpAddress.parse('192.0.2.77'),
          backendType: 'host-gw',
          backendData: undefined,
        };
        const again = await store().acquire(requestOf(1, changed), signal);
        expect(subnetOf(again)).toBe(subnetOf(first));
        const values = await world.values();
        expect(values.size).toBe(2);
        expect(values.get(leaseKey(again))).toBe(
          '{"PublicIP":"192.0.2.77","PublicIPv6":null,"BackendType":"host-gw","Node":"n1"}',
        );
      });

      test('takes the previous subnet if it is free, and another if not', async () => {
        const previous = { subnet: Prefix.parse('10.0.0.192/26'), subnet6: undefined };
        expect(subnetOf(await store().acquire(requestOf(1, { previous }), signal))).toBe('10.0.0.192/26');
        expect(subnetOf(await store().acquire(requestOf(2, { previous }), signal))).not.toBe('10.0.0.192/26');
      });

      test('takes over the lease that flannel left under our public address', async () => {
        await world.put('10.0.0.128-26', flannelValue(1));
        expect(subnetOf(await store().acquire(requestOf(1), signal))).toBe('10.0.0.128/26');
        expect((await world.values()).get('10.0.0.128-26')).toContain('"Node":"n1"');
      });

      test('says that the range is full, and works again when a subnet is given back', async () => {
        const one = store();
        const leases = [];
        for (const n of [1, 2, 3]) leases.push(await one.acquire(requestOf(n), signal));
        const error = await errorOf(one.acquire(requestOf(4), signal));
        expect(error.code).toBe('full');
        expect(error.message).toBe(
          'Cannot acquire a subnet for node "n4": 3 of the 3 subnets "10.0.0.64/26" to "10.0.0.192/26" are taken',
        );
        const [, second] = leases;
        if (second === undefined) throw new Error('no lease');
        await one.release(second, signal);
        expect(subnetOf(await one.acquire(requestOf(4), signal))).toBe(subnetOf(second));
      });

      test('refuses a public address that another node has, by name', async () => {
        await world.put('10.0.0.64-26', flannelValue(1, 'other'));
        const error = await errorOf(store().acquire(requestOf(1), signal));
        expect(error.code).toBe('conflict');
        expect(error.message).toContain('its public address "192.0.2.1" is held by node "other" in "');
        await world.remove('10.0.0.64-26');
        expect((await store().acquire(requestOf(1), signal)).node).toBe('n1');
      });

      test('moves when the configuration has changed, and gives the old subnet back', async () => {
        await store().acquire(requestOf(1), signal);
        await world.configure({ Network: '10.9.0.0/16' });
        const lease = await store().acquire(requestOf(1), signal);
        expect(lease.subnet?.length).toBe(24);
        expect([...(await world.values()).keys()]).toEqual([leaseKey(lease)]);
      });

      test('gives subnets of both families, and of IPv6 alone', async () => {
        const more = {
          publicIp6: IpAddress.parse('fd00::1'),
          backendType: 'host-gw',
          backendData: undefined,
        };
        await world.configure({ Network: '10.0.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:1::/48' });
        const both = await store().acquire(requestOf(1, more), signal);
        expect([both.subnet?.length, both.subnet6?.length]).toEqual([24, 64]);
        await world.configure({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:1::/48' });
        const alone = await store().acquire(requestOf(1, more), signal);
        expect([alone.subnet, alone.subnet6?.length]).toEqual([undefined, 64]);
        expect(keysOf(await store().snapshot(signal))).toEqual([leaseKey(alone)]);
      });

      test('a node keeps its subnet when the network gets a second family, and when it loses the first', async () => {
        const more = {
          publicIp6: IpAddress.parse('fd00::1'),
          backendType: 'host-gw',
          backendData: undefined,
        };
        const four = { Network: '10.0.0.0/16' };
        const six = { EnableIPv6: true, IPv6Network: 'fd00:1::/48' };
        await world.configure(four);
        const first = await store().acquire(requestOf(1, more), signal);
        await world.configure({ ...four, ...six });
        const both = await store().acquire(requestOf(1, more), signal);
        expect(subnetOf(both)).toBe(subnetOf(first));
        expect([...(await world.values()).keys()]).toEqual([leaseKey(both)]);
        await world.configure({ EnableIPv4: false, ...six });
        const last = await store().acquire(requestOf(1, more), signal);
        expect([last.subnet, String(last.subnet6)]).toEqual([undefined, String(both.subnet6)]);
        expect([...(await world.values()).keys()]).toEqual([leaseKey(last)]);
      });

      test('without a configuration, or with half of one, is an error of its own kind', async () => {
        await world.configure('{"Network":');
        expect((await errorOf(store().acquire(requestOf(1), signal))).code).toBe('invalid');
        await world.configure(undefined);
        expect((await errorOf(store().acquire(requestOf(1), signal))).code).toBe('missing');
        expect((await errorOf(store().networkConfig(signal))).code).toBe('missing');
      });

      test('never takes the subnet of a lease that cannot be read', async () => {
        for (const key of ['10.0.0.64-26', '10.0.0.128-26', '10.0.0.192-26'])
          await world.put(key, '{"PublicIP":');
        expect((await errorOf(store().acquire(requestOf(1), signal))).code).toBe('full');
      });

      test('stops when it is told to', async () => {
        await expect(store().acquire(requestOf(1), AbortSignal.abort())).rejects.toThrow('aborted');
      });
    });

    describe('nodes that start together', () => {
      test('get ten different subnets from a range of ten', async () => {
        await world.configure({ Network: '10.0.0.0/24', SubnetLen: 28, SubnetMax: '10.0.0.160' });
        const leases = await Promise.all(
          Array.from({ length: 10 }, (_, n) => store().acquire(requestOf(n + 1), signal)),
        );
        expect(new Set(leases.map(subnetOf)).size).toBe(10);
        expect((await world.values()).size).toBe(10);
        expect(messagesOf(await store().snapshot(signal))).toEqual([]);
      });

      test('with both families in ranges of different size get leases that do not overlap', async () => {
        await world.configure({
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
          Array.from({ length: 10 }, (_, n) => store().acquire(request(n + 1), signal)),
        );
        expect(new Set(leases.map(subnetOf)).size).toBe(10);
        expect(new Set(leases.map(({ subnet6 }) => String(subnet6))).size).toBe(10);
      });

      test('of one name share one lease', async () => {
        const leases = await Promise.all([1, 1, 1, 1].map((n) => store().acquire(requestOf(n), signal)));
        expect(new Set(leases.map(subnetOf)).size).toBe(1);
        expect((await world.values()).size).toBe(1);
      });
    });

    describe('renewing', () => {
      test('moves the end', async () => {
        const one = store();
        const lease = await one.acquire(requestOf(1), signal);
        const renewed = await one.renew(lease, signal);
        expect(renewed.expiresAt).toBeGreaterThanOrEqual(lease.expiresAt ?? Number.NaN);
        expect({ ...renewed, expiresAt: undefined }).toEqual({ ...lease, expiresAt: undefined });
      });

      test('puts back what was changed by hand', async () => {
        const one = store();
        const lease = await one.acquire(requestOf(1), signal);
        const [written] = (await world.values()).values();
        await world.put(leaseKey(lease), { ...flannelValue(9, 'n1') });
        await one.renew(lease, signal);
        expect([...(await world.values()).values()]).toEqual([written]);
      });

      test('of a lease that is gone or another node’s is an error with code "lost"', async () => {
        const one = store();
        const lease = await one.acquire(requestOf(1), signal);
        await world.put(leaseKey(lease), flannelValue(2, 'n2'));
        expect((await errorOf(one.renew(lease, signal))).code).toBe('lost');
        await world.remove(leaseKey(lease));
        expect((await errorOf(one.renew(lease, signal))).code).toBe('lost');
      });
    });

    test('releasing takes our lease away, and only ours', async () => {
      const one = store();
      const lease = await one.acquire(requestOf(1), signal);
      await world.put(leaseKey(lease), flannelValue(2, 'n2'));
      await one.release(lease, signal);
      expect((await world.values()).size).toBe(1);
      const other = await store().acquire(requestOf(3), signal);
      await store().release(other, signal);
      await store().release(other, signal);
      expect([...(await world.values()).keys()]).toEqual([leaseKey(lease)]);
    });

    describe('a snapshot', () => {
      test('holds the good leases and names what is wrong with the others', async () => {
        await world.put('10.0.0.64-26', flannelValue(1, 'n1'));
        await world.put('10.0.0.128-26', { ...flannelValue(2), PublicIP: '127.0.0.1' });
        await world.put('10.7.0.0-24', flannelValue(3, 'n3'));
        const snapshot = await store().snapshot(signal);
        expect(keysOf(snapshot)).toEqual(['10.0.0.64-26']);
        expect(messagesOf(snapshot)).toEqual([
          expect.stringContaining('PublicIP: "127.0.0.1" '),
          expect.stringContaining('"10.7.0.0/24" is outside of the network "10.0.0.0/24"'),
        ]);
      });

      test('never loses our own lease to one that overlaps it', async () => {
        const one = store();
        await world.configure({ Network: '10.0.0.0/16', SubnetLen: 24 });
        const lease = await one.acquire(requestOf(1), signal);
        const [high = '0'] = [subnetOf(lease).split('.')[2]];
        await world.put(`10.0.${high}.128-25`, flannelValue(2, 'n2'));
        const snapshot = await one.snapshot(signal);
        expect(keysOf(snapshot)).toEqual([leaseKey(lease)]);
        expect(messagesOf(snapshot)).toEqual([expect.stringContaining('overlaps')]);
      });
    });

    describe('a watch', () => {
      test('yields the state now, and each change of leases and configuration', async () => {
        await using watching = new Watching(store());
        expect(keysOf(await watching.next())).toEqual([]);
        await world.put('10.0.0.64-26', flannelValue(1, 'n1'));
        await watching.until((now) => keysOf(now).join() === '10.0.0.64-26');
        const one = watching.last?.leases.get('10.0.0.64-26');
        await world.put('10.0.0.128-26', flannelValue(2, 'n2'));
        await watching.until((now) => now.leases.size === 2);
        expect(watching.last?.leases.get('10.0.0.64-26')).toBe(one);
        await world.remove('10.0.0.64-26');
        await watching.until((now) => keysOf(now).join() === '10.0.0.128-26');
        await world.configure({ ...network, EnableNFTables: true });
        expect((await watching.until((now) => now.config?.nftables === true)).leases.size).toBe(1);
      });

      test('has our own lease as soon as we do', async () => {
        const one = store();
        await using watching = new Watching(one);
        await watching.next();
        const lease = await one.acquire(requestOf(1), signal);
        const now = await watching.next();
        expect(keysOf(now)).toEqual([leaseKey(lease)]);
      });

      test('keeps the last good configuration and leases while they are broken, and forgets what was mended', async () => {
        await world.put('10.0.0.64-26', flannelValue(1, 'n1'));
        await using watching = new Watching(store());
        await watching.until((now) => now.leases.size === 1);
        await world.put('10.0.0.64-26', '{"PublicIP":');
        await world.configure('{');
        const broken = await watching.until((now) => now.problems.length === 2);
        expect([keysOf(broken), broken.config?.ip4?.subnetLength]).toEqual([['10.0.0.64-26'], 26]);
        await world.configure(undefined);
        await world.put('10.0.0.64-26', flannelValue(1, 'n1'));
        const gone = await watching.until((now) => now.problems.length === 1);
        expect(messagesOf(gone)).toEqual([expect.stringContaining('Cannot read network configuration')]);
        await world.configure(network);
        await watching.until((now) => now.problems.length === 0 && now.leases.size === 1);
      });

      test('does not wake its reader for a renewal', async () => {
        const one = store();
        const lease = await one.acquire(requestOf(1), signal);
        await using watching = new Watching(one);
        await watching.next();
        await one.renew(lease, signal);
        await world.put('10.0.0.0-30', '{');
        // The next word is about what came after the renewal.
        expect((await watching.next()).problems).toHaveLength(1);
      });

      test('ends with the signal, and when the store is closed', async () => {
        const one = store();
        const watching = new Watching(one);
        await watching.next();
        const next = watching.next();
        await one.close();
        await expect(next).rejects.toThrow('The watch has ended');
        await watching[Symbol.asyncDispose]();
        const stopped = new Watching(store());
        await stopped.next();
        await stopped[Symbol.asyncDispose]();
      });
    });
  });
}
