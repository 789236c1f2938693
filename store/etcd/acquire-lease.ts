// How a node takes and keeps its lease in etcd: its own key, a reservation, or a free one by a transaction that only one can win.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  chooseOwn,
  chooseSubnets,
  isHeldBy,
  overlap,
  refuseSharedAddress,
  requestedLease,
  sharesAddress,
} from '../choose-lease.ts';
import type { Lease } from '../lease.ts';
import { encodeLease } from '../lease-codec.ts';
import { type LeaseSubnets, leaseKey } from '../lease-key.ts';
import { isUsable } from '../lease-record.ts';
import type { LeaseRequest } from '../lease-store.ts';
import { decodeNetworkConfig, type NetworkConfig } from '../network-config.ts';
import { StoreError } from '../store-error.ts';
import { allocationSeed } from '../subnets.ts';
import type { EtcdClient } from './etcd-client.ts';
import { listKeys } from './key-follower.ts';
import { keyText } from './key-range.ts';
import { isRecord, type KeyRecord, type LeasePlaces, leaseRanges, recordOf } from './lease-keys.ts';
import { claimRequest, deleteRequest, rewriteRequest } from './lease-requests.ts';
import type { KeyValue } from './messages.ts';

/** Lost races in a row before giving up: each means that another node got a subnet. */
const mostAttempts = 100;

export interface LeaseContext {
  readonly client: EtcdClient;
  readonly places: LeasePlaces;
  readonly ttlMs: number;
  readonly now: () => number;
}

/** A lease with the revision that it was last written at by us; 0 when nothing had to be written. */
export interface Taken {
  readonly lease: Lease;
  readonly revision: bigint;
}

/** See LeaseStore.acquire. */
export async function acquireLease(
  context: LeaseContext,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<Taken> {
  const { places } = context;
  const seed = allocationSeed(request.node);
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    signal.throwIfAborted();
    // Those that were in each other's way must not meet again.
    if (attempt > 0) await delay(Math.random() * 10 * attempt, undefined, { signal });
    const { config, configKv, records, revision } = await readNetwork(context, signal);
    const isOwn = ({ lease }: KeyRecord) => lease !== undefined && isHeldBy(lease, request);
    const own = records.filter(isOwn);
    const others = records.filter((record) => !isOwn(record));
    refuseSharedAddress(others, request);

    const { key } =
      chooseOwn(own.filter(isUsable), { config, request, live: others, isLive: () => true }) ?? {};
    for (const record of own) {
      // A reservation is an administrator's.
      const isSpare = record.key !== key && record.kv.lease !== 0n;
      if (isSpare) await context.client.txn(deleteRequest(record.kv), signal);
    }
    const kept = own.find((record) => record.key === key);
    if (kept !== undefined) {
      const lease = requestedLease(kept.subnets, request);
      const taken = await keepLease(context, kept.kv, { lease, signal });
      if (taken !== undefined) return taken;
      continue;
    }

    const subnets = chooseSubnets({ others, live: others, config, request, seed, place: places.subnets });
    const taken = await claim(context, { subnets, request, configKv, read: revision, signal });
    if (taken !== undefined) return taken;
  }
  throw new StoreError(
    `Cannot acquire a lease for node "${request.node}": others were faster ${mostAttempts} times in a row`,
    { code: 'unavailable', object: places.subnets },
  );
}

/**
 * Makes the lease of the key last its time anew and writes what is not as it should be; undefined when the key is not as it was read.
 * A key without a lease of etcd's is a reservation: it stays one, and has no end.
 */
export async function keepLease(
  { client, ttlMs, now }: LeaseContext,
  kv: KeyValue,
  { lease, signal }: { readonly lease: Lease; readonly signal: AbortSignal },
): Promise<Taken | undefined> {
  const value = encodeLease(lease);
  const isWritten = Buffer.from(kv.value).toString('utf8') === value;
  const wanted = secondsOf(ttlMs);
  let id = kv.lease;
  let expiresAt: number | undefined;
  if (kv.lease !== 0n) {
    // Before etcd's own time begins: a holder must not believe in its lease for longer than others.
    expiresAt = now() + ttlMs;
    // It has just ended, or is of an earlier life with other settings: then it ends by itself.
    if ((await client.keepAlive(kv.lease, signal)) !== wanted) id = await grant(client, wanted, signal);
  }
  if (isWritten && id === kv.lease) return { lease: { ...lease, expiresAt }, revision: 0n };
  const { succeeded, header } = await client.txn(rewriteRequest(kv, { value, lease: id }), signal);
  if (!succeeded) {
    if (id !== kv.lease) await giveUp(client, id, signal);
    return undefined;
  }
  return { lease: { ...lease, expiresAt }, revision: header?.revision ?? 0n };
}

interface ClaimInput {
  readonly subnets: LeaseSubnets;
  readonly request: LeaseRequest;
  readonly configKv: KeyValue;
  /** The revision that all leases were read at. */
  readonly read: bigint;
  readonly signal: AbortSignal;
}

/** Undefined when another was faster. */
async function claim(
  { client, places, ttlMs, now }: LeaseContext,
  { subnets, request, configKv: config, read, signal }: ClaimInput,
): Promise<Taken | undefined> {
  const lease = requestedLease(subnets, request);
  const name = leaseKey(lease);
  const expiresAt = now() + ttlMs;
  const id = await grant(client, secondsOf(ttlMs), signal);
  const { succeeded, header, responses } = await client.txn(
    claimRequest({ places, config, name, value: encodeLease(lease), lease: id, read }),
    signal,
  );
  if (!succeeded) {
    await giveUp(client, id, signal);
    return undefined;
  }
  const revision = header?.revision ?? 0n;
  const records = recordsOf(
    responses.flatMap(({ response_range }) => response_range?.kvs ?? []),
    places,
  );
  const rival = records.find(
    (record) =>
      record.key !== name &&
      (overlap(record.subnets, lease) ||
        (record.lease !== undefined &&
          (isHeldBy(record.lease, request) || sharesAddress(record.lease, request)))),
  );
  if (rival === undefined) return { lease: { ...lease, expiresAt }, revision };
  // It was there before us, by etcd's own order; who comes after us sees us.
  await giveUp(client, id, signal);
  return undefined;
}

/** Takes a fresh lease of etcd's back, with the key that hangs on it; if it cannot be reached that ends by itself. */
async function giveUp(client: EtcdClient, id: bigint, signal: AbortSignal): Promise<void> {
  await client.revoke(id, signal).catch(() => undefined);
  signal.throwIfAborted();
}

async function grant(client: EtcdClient, seconds: number, signal: AbortSignal): Promise<bigint> {
  // Positive, and never 0, which is no lease.
  const id = BigInt.asUintN(62, randomBytes(8).readBigUInt64BE(0)) + 1n;
  await client.grant(id, { seconds, signal });
  return id;
}

function secondsOf(ttlMs: number): number {
  return Math.ceil(ttlMs / 1000);
}

interface Network {
  readonly config: NetworkConfig;
  readonly configKv: KeyValue;
  readonly records: readonly KeyRecord[];
  readonly revision: bigint;
}

/** Throws StoreError `missing` or `invalid` for its config. */
async function readNetwork({ client, places }: LeaseContext, signal: AbortSignal): Promise<Network> {
  const { keys, revision } = await listKeys({ client, ranges: leaseRanges(places) }, signal);
  const configKv = keys.get(places.config);
  if (configKv === undefined) throw configMissing(places);
  keys.delete(places.config);
  const config = decodeNetworkConfig(configKv.value, places.config);
  return { config, configKv, records: recordsOf([...keys.values()], places), revision };
}

export function configMissing({ config }: LeasePlaces): StoreError {
  return new StoreError(`Cannot read network configuration "${config}": there is no such key in etcd`, {
    code: 'missing',
    object: config,
  });
}

function recordsOf(kvs: readonly KeyValue[], { subnets }: LeasePlaces): readonly KeyRecord[] {
  return kvs.map((kv) => recordOf(keyText(kv.key), kv, { subnets })).filter(isRecord);
}
