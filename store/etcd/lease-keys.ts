// Where flannel keeps a network in etcd, and its leases as records: PREFIX/config, and a lease a key below PREFIX/subnets/.
import { decodeLease } from '../lease-codec.ts';
import { parseLeaseKey } from '../lease-key.ts';
import type { LeaseRecord } from '../lease-record.ts';
import type { StoreProblem } from '../lease-store.ts';
import { StoreError } from '../store-error.ts';
import { keysBelow, oneKey } from './key-range.ts';
import type { KeyValue } from './messages.ts';

export interface LeasePlaces {
  readonly config: string;
  readonly subnets: string;
}

/** Without slashes at its end, as flannel takes it too. */
export function leasePlaces(prefix: string): LeasePlaces {
  const base = prefix.replace(/\/+$/, '');
  return { config: `${base}/config`, subnets: `${base}/subnets/` };
}

/** The config first. */
export function leaseRanges({ config, subnets }: LeasePlaces) {
  return [oneKey(config), keysBelow(subnets)] as const;
}

/** The record with what made it. */
export type KeyRecord = LeaseRecord & { readonly kv: KeyValue };

/**
 * The record of a key; `before` is its last one: a value that did not change gives the same lease, one that cannot be read keeps it. For a
 * name that is no subnet's, a problem.
 */
export function recordOf(
  path: string,
  kv: KeyValue,
  { subnets: folder, before }: { readonly subnets: string; readonly before?: KeyRecord | undefined },
): KeyRecord | StoreProblem {
  const key = path.slice(folder.length);
  try {
    const subnets = before?.subnets ?? parseLeaseKey(key, path);
    const record = { kv, key, path, subnets, renewedAt: Number(kv.create_revision) };
    try {
      const same = before?.lease !== undefined && before.problem === undefined && sameBytes(before.kv, kv);
      const lease = same ? before.lease : decodeLease(subnets, kv.value, { object: path });
      return { ...record, lease, dated: lease, problem: undefined };
    } catch (error) {
      const problem = messageOf(error);
      return { ...record, lease: before?.lease, dated: before?.dated, problem };
    }
  } catch (error) {
    return { object: path, message: messageOf(error) };
  }
}

export function isRecord(found: KeyRecord | StoreProblem): found is KeyRecord {
  return 'kv' in found;
}

function sameBytes(one: KeyValue, other: KeyValue): boolean {
  return Buffer.compare(one.value, other.value) === 0;
}

function messageOf(error: unknown): string {
  if (error instanceof StoreError) return error.message;
  throw error;
}
