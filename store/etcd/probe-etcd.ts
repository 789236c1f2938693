// Whether etcd can be used as we mean to: each member by itself, then reading, and writing by a transaction that never holds. etcd checks
// rights, space and its quorum before it compares, so nothing has to be written to know.

import { decodeNetworkConfig } from '../network-config.ts';
import type { AccessFault, AccessFaultKind, StoreAccess } from '../store-access.ts';
import { isStoreError } from '../store-error.ts';
import { configMissing } from './acquire-lease.ts';
import { EtcdClient } from './etcd-client.ts';
import { faultOf } from './etcd-error.ts';
import type { EtcdOptions } from './etcd-options.ts';
import { keyBytes, keysBelow } from './key-range.ts';
import { leasePlaces } from './lease-keys.ts';
import { compareResult, compareTarget, type KeyValue } from './messages.ts';

export interface ProbeEtcdOptions {
  /** Leases are kept there; else it is only read. */
  readonly writes: boolean;
  readonly signal: AbortSignal;
}

export async function probeEtcd(
  { prefix, ...etcd }: EtcdOptions & { readonly prefix: string },
  { writes, signal }: ProbeEtcdOptions,
): Promise<StoreAccess> {
  const members = await Promise.all(
    etcd.endpoints.map(async (endpoint) => {
      const fault = await probing(endpoint, { ...etcd, endpoints: [endpoint] }, async (client) => {
        // What it has itself: whether the members agree is asked next.
        await client.range({ key: keyBytes('netloom'), serializable: true }, signal);
      });
      return { endpoint, fault };
    }),
  );
  signal.throwIfAborted();
  const answering = members.filter(({ fault }) => fault === undefined || fault.kind === 'denied');
  const faults = members.flatMap(({ fault }) =>
    fault === undefined || fault.kind === 'denied' ? [] : [{ ...fault, isBearable: answering.length > 0 }],
  );
  if (answering.length === 0) return { kind: 'etcd', faults: withoutTwins(faults) };
  const usable = { ...etcd, endpoints: answering.map(({ endpoint }) => endpoint) };
  const found = writes
    ? await probeLeases(usable, { prefix, signal })
    : await probeServices(usable, { prefix, signal });
  signal.throwIfAborted();
  return { kind: 'etcd', faults: [...withoutTwins(faults), ...found] };
}

interface ProbeOptions {
  readonly prefix: string;
  readonly signal: AbortSignal;
}

async function probeLeases(
  etcd: EtcdOptions,
  { prefix, signal }: ProbeOptions,
): Promise<readonly AccessFault[]> {
  const places = leasePlaces(prefix);
  let config: KeyValue | undefined;
  const read = await probing(`read ${places.config}`, etcd, async (client) => {
    const { kvs } = await client.range({ key: keyBytes(places.config) }, signal);
    config = kvs[0];
    const { start, end = '' } = keysBelow(places.subnets);
    await client.range({ key: keyBytes(start), range_end: keyBytes(end), limit: 1n }, signal);
  });
  // What cannot be read by agreement cannot be written either.
  if (read?.kind === 'leaderless') return [read];
  const write = await probing(`write ${places.subnets}`, etcd, async (client) => {
    const key = keyBytes(`${places.subnets}netloom-doctor`);
    await client.txn(
      {
        // A version is never less than 0: it is not done.
        compare: [{ key, target: compareTarget.version, result: compareResult.less, version: 0n }],
        success: [{ request_put: { key, value: new Uint8Array() } }],
      },
      signal,
    );
  });
  const faults = [read, write].flatMap((fault) => fault ?? []);
  if (read !== undefined) return withoutTwins(faults);
  if (config === undefined) {
    const { object, message } = configMissing(places);
    return [...faults, faultAbout('no-config', object, message)];
  }
  try {
    decodeNetworkConfig(config.value, places.config);
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return [...faults, faultAbout('bad-config', error.object, error.message)];
  }
  return faults;
}

async function probeServices(
  etcd: EtcdOptions,
  { prefix, signal }: ProbeOptions,
): Promise<readonly AccessFault[]> {
  const { start, end = '' } = keysBelow(`${prefix.replace(/\/+$/, '')}/`);
  const fault = await probing(`read ${start}`, etcd, async (client) => {
    await client.range({ key: keyBytes(start), range_end: keyBytes(end), limit: 1n }, signal);
  });
  return fault === undefined ? [] : [fault];
}

/** What is asked with a client of its own, and what stood in its way. */
async function probing(
  object: string,
  etcd: EtcdOptions,
  ask: (client: EtcdClient) => Promise<void>,
): Promise<AccessFault | undefined> {
  let client: EtcdClient | undefined;
  try {
    client = new EtcdClient(etcd);
    await ask(client);
    return undefined;
  } catch (error) {
    // Of a file that cannot be read, or is none; and an abort, which the caller sees.
    const fault = faultOf(error);
    const message = error instanceof Error ? error.message : String(error);
    if (fault !== undefined) return faultAbout(kindOf(fault.details, message), object, message);
    return isStoreError(error, 'invalid')
      ? faultAbout(error.message.includes('password') ? 'stranger' : 'distrusted', error.object, message)
      : faultAbout('unreachable', object, message);
  } finally {
    client?.close();
  }
}

/** By etcd's own words, as its clients do, and by those of OpenSSL. */
function kindOf(details: string, message: string): AccessFaultKind {
  if (/permission denied/.test(details)) return 'denied';
  if (/authentication failed|user name is empty|invalid auth token|user not found/.test(details))
    return 'stranger';
  if (/database space exceeded/.test(details)) return 'full';
  if (/no leader|request timed out|leader changed/.test(details)) return 'leaderless';
  if (/certificate|altname|\bTLS|SSL|tlsv1|handshake|wrong version number/i.test(details))
    return 'distrusted';
  // It has answered what needs no agreement.
  return /^Cannot (?:write|read):.*(?:did not answer in time)/.test(message) ? 'leaderless' : 'unreachable';
}

function faultAbout(kind: AccessFaultKind, object: string, evidence: string): AccessFault {
  return { kind, object, evidence, isBearable: false };
}

/** One for all members of what is not a member's. */
function withoutTwins(faults: readonly AccessFault[]): readonly AccessFault[] {
  const seen = new Set<string>();
  return faults.filter(({ kind, object, evidence }) => {
    const key = kind === 'leaderless' ? kind : `${kind} ${object} ${evidence}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
