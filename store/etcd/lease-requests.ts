// The transactions on leases in etcd: each compares what it was decided on, so that nobody's work is overwritten. Which one is due is
// acquire-lease.ts's.
import { keyBytes, keysBelow } from './key-range.ts';
import type { LeasePlaces } from './lease-keys.ts';
import { compareResult, compareTarget, type KeyValue, type txnRequest } from './messages.ts';
import type { InputOf } from './wire.ts';

type TxnRequest = InputOf<typeof txnRequest>;
type Compare = NonNullable<TxnRequest['compare']>[number];

const { equal } = compareResult;

/** The key is as it was read. */
function isUnchanged({ key, mod_revision }: Pick<KeyValue, 'key' | 'mod_revision'>): Compare {
  return { key, mod_revision, result: equal, target: compareTarget.mod };
}

export interface ClaimOptions {
  readonly places: LeasePlaces;
  /** The config that the subnets were chosen by. */
  readonly config: Pick<KeyValue, 'key' | 'mod_revision'>;
  /** "10.5.52.0-24", or "10.5.52.0-24&fd00:5:52::-64". */
  readonly name: string;
  readonly value: string;
  readonly lease: bigint;
  /** All leases were read at this revision. */
  readonly read: bigint;
}

/**
 * Makes the key of a lease if nobody has its first subnet, alone or with one of the other family, and reads in the same moment what was
 * written to leases since they were read: whoever claims sees all that were before it. Not all of them once more: thousands of nodes that
 * come at once would have etcd send a megabyte to each.
 */
export function claimRequest({ places, config, name, value, lease, read }: ClaimOptions): TxnRequest {
  const [first = name] = name.split('&');
  const all = keysBelow(places.subnets);
  const taken: Compare = {
    // "…/10.5.52.0-24" and "…/10.5.52.0-24&…": "&" comes before "'".
    key: keyBytes(places.subnets + first),
    range_end: keyBytes(`${places.subnets}${first}'`),
    create_revision: 0n,
    result: equal,
    target: compareTarget.create,
  };
  return {
    compare: [isUnchanged(config), taken],
    success: [
      { request_put: { key: keyBytes(places.subnets + name), value: Buffer.from(value), lease } },
      {
        request_range: {
          key: keyBytes(all.start),
          range_end: keyBytes(all.end ?? ''),
          min_mod_revision: read + 1n,
        },
      },
    ],
  };
}

/** Writes the value anew, under the lease given, if nobody has written to the key. */
export function rewriteRequest(
  kv: KeyValue,
  { value, lease }: { readonly value: string; readonly lease: bigint },
): TxnRequest {
  return {
    compare: [isUnchanged(kv)],
    success: [{ request_put: { key: kv.key, value: Buffer.from(value), lease } }],
  };
}

/** Deletes the key if nobody has written to it. */
export function deleteRequest(kv: Pick<KeyValue, 'key' | 'mod_revision'>): TxnRequest {
  return { compare: [isUnchanged(kv)], success: [{ request_delete_range: { key: kv.key } }] };
}
