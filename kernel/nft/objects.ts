// The objects of nf_tables as values: what is (read from the kernel) and what should be have the same types. `declare.ts` makes
// them the way an operator writes them. Handles are the kernel's and read only.

import type { Expression } from './expressions.ts';
import type { NftSet } from './set.ts';

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export interface TableId {
  readonly family: NftFamily;
  readonly name: string;
}

export type ChainType = 'filter' | 'nat' | 'route';
export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

/** What makes a chain a base chain: where packets enter it. */
export interface ChainBase {
  readonly type: ChainType;
  readonly hook: Hook;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
  /** Links of a netdev chain. */
  readonly devices?: readonly string[] | undefined;
}

export interface Chain {
  readonly name: string;
  /** Absent: a regular chain, reached by jump and goto. */
  readonly base?: ChainBase | undefined;
  readonly comment?: string | undefined;
}

export interface Rule {
  readonly chain: string;
  readonly expressions: readonly Expression[];
  readonly comment?: string | undefined;
  /** Read only. */
  readonly handle?: bigint | undefined;
}

/** A named counter; its counts are read only. */
export interface Counter {
  readonly name: string;
  readonly packets?: bigint | undefined;
  readonly bytes?: bigint | undefined;
  readonly comment?: string | undefined;
}

export interface Table extends TableId {
  readonly comment?: string | undefined;
  /** Its chains see no packets. */
  readonly dormant?: boolean | undefined;
  readonly counters: ReadonlyMap<string, Counter>;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly chains: ReadonlyMap<string, Chain>;
  /** In order, keyed by their chain's name. A chain without rules may be absent. */
  readonly rules: ReadonlyMap<string, readonly Rule[]>;
}

/** Tables keyed by `tableKey`. */
export type NftState = ReadonlyMap<string, Table>;

/** "ip netloom": as it follows `nft list table`. */
export function tableKey(table: TableId): string {
  return `${table.family} ${table.name}`;
}

export function nftState(tables: readonly Table[]): NftState {
  return new Map(tables.map((table) => [tableKey(table), table]));
}
