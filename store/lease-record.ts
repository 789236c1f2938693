// A lease as a store has it under its name, read with or without success: a file of a directory or a key of etcd. Which of them count
// is decided in select-leases.ts.
import type { Lease } from './lease.ts';
import type { LeaseSubnets } from './lease-key.ts';

export type LeaseRecord = {
  readonly key: string;
  /** The file or the key, as messages name it. */
  readonly path: string;
  readonly subnets: LeaseSubnets;
  /**
   * What grows with age: of two records the one with less has been there for longer. In a directory when the holder renewed it last,
   * milliseconds since the epoch; in etcd the revision that made the key.
   */
  readonly renewedAt: number;
  /** Without its end: the same object while the content is the same. Undefined when the content has never been readable. */
  readonly lease: Lease | undefined;
  /** `lease` with its end: the same object while neither the content nor `renewedAt` changes. */
  readonly dated: Lease | undefined;
  readonly problem: string | undefined;
};

/** A record that can be used. */
export type UsableRecord = LeaseRecord & {
  readonly lease: NonNullable<LeaseRecord['lease']>;
  readonly dated: NonNullable<LeaseRecord['dated']>;
};

export function isUsable<Given extends LeaseRecord>(record: Given): record is Given & UsableRecord {
  return record.lease !== undefined && record.dated !== undefined;
}
