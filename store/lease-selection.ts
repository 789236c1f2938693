// The selection of leases kept from one look at the directory to the next: what `selectLeases` would say of the files, but a
// change that takes nothing from anybody costs only itself. Knows no files and no clock of its own.
import type { Lease } from './lease.ts';
import { addressesOf, type LeaseClaims } from './lease-claims.ts';
import { isUsable, type LeaseRecord, type UsableRecord } from './lease-record.ts';
import type { StoreProblem } from './lease-store.ts';
import type { NetworkConfig } from './network-config.ts';
import { holderOf, selectLeases } from './select-leases.ts';

export type SelectionInput = {
  /** By key; a file that did not change is the same object as before. */
  readonly files: ReadonlyMap<string, LeaseRecord>;
  /** Keys whose files may differ from last time; undefined: any. */
  readonly changed: ReadonlySet<string> | undefined;
  readonly config: NetworkConfig;
  /** The key of this node's own lease, which nothing evicts. */
  readonly own: string | undefined;
  /** Leases renewed before this moment are over, milliseconds since the epoch. */
  readonly renewedSince: number;
};

export type SelectedLeases = {
  /** Dated, by key, in the order of the keys. */
  readonly leases: ReadonlyMap<string, Lease>;
  /** By path. */
  readonly problems: readonly StoreProblem[];
  /** None of the live ones was renewed earlier, Infinity when there is none: look again when that one would end. */
  readonly oldest: number;
  /** Whether anything but the ends of leases differs from last time. */
  readonly changed: boolean;
};

type Change = {
  readonly key: string;
  readonly before: UsableRecord | undefined;
  readonly after: UsableRecord | undefined;
};

type Differing = { readonly changes: readonly Change[]; readonly isLocal: boolean };

/** Whether everybody has afterwards what he had: the holder is the same, and so are his addresses. */
function keepsClaims({ before, after }: Change): boolean {
  if (before === undefined || after === undefined) return false;
  if (before.lease === after.lease) return true;
  return holderOf(before) === holderOf(after) && addressesOf(before).join() === addressesOf(after).join();
}

export class LeaseSelection {
  #config: NetworkConfig | undefined;
  #own: string | undefined;
  /** All that can be used and has not ended, by key. */
  readonly #live = new Map<string, UsableRecord>();
  /** At most the true one: a renewal does not move it. */
  #oldest = Number.POSITIVE_INFINITY;
  #claims: LeaseClaims | undefined;
  #leases: ReadonlyMap<string, Lease> = new Map();
  #problems: readonly StoreProblem[] = [];

  update(input: SelectionInput): SelectedLeases {
    const before = this.#leases;
    const changes = this.#changes(input);
    const moves = changes.filter((change) => !keepsClaims(change));
    const isLocal = this.#config === input.config && this.#own === input.own && this.#move(moves);
    const incumbents = isLocal ? new Set<string>() : this.#incumbents();
    for (const { key, after } of changes) {
      if (after === undefined) this.#live.delete(key);
      else this.#live.set(key, after);
      if (after !== undefined && after.renewedAt < this.#oldest) this.#oldest = after.renewedAt;
    }
    if (!isLocal) this.#selectAll(input, incumbents);
    // A lease that is left out and stays so is in the changes too.
    else if (moves.length === 0)
      this.#leases = merged(
        before,
        changes.filter(({ key }) => before.has(key)),
      );
    else this.#leases = merged(before, changes);
    this.#config = input.config;
    this.#own = input.own;
    const changed = this.#differs(before, { changes, isLocal });
    return { leases: this.#leases, problems: this.#problems, oldest: this.#oldest, changed };
  }

  #changes({ files, changed, renewedSince }: SelectionInput): readonly Change[] {
    const isLive = (file: LeaseRecord | undefined): file is UsableRecord =>
      file !== undefined && file.renewedAt >= renewedSince && isUsable(file);
    const changes: Change[] = [];
    const compare = (key: string) => {
      const before = this.#live.get(key);
      const file = files.get(key);
      const after = isLive(file) ? file : undefined;
      if (before !== after) changes.push({ key, before, after });
    };
    if (changed !== undefined && this.#oldest >= renewedSince) {
      for (const key of changed) compare(key);
      return changes;
    }
    for (const key of files.keys()) compare(key);
    this.#oldest = Number.POSITIVE_INFINITY;
    for (const [key, { renewedAt }] of this.#live) {
      if (!files.has(key)) compare(key);
      else if (renewedAt >= renewedSince && renewedAt < this.#oldest) this.#oldest = renewedAt;
    }
    return changes;
  }

  /** Whether more than the ends of leases differs. */
  #differs(before: ReadonlyMap<string, Lease>, { changes, isLocal }: Differing): boolean {
    const leases = this.#leases;
    if (leases.size !== before.size) return true;
    const isOther = (change: Change) => change.before?.lease !== change.after?.lease;
    if (changes.some((change) => leases.has(change.key) && isOther(change))) return true;
    // What is no change of its own comes and goes only when all are selected anew.
    return !isLocal && [...leases.keys()].some((key) => !before.has(key));
  }

  #incumbents(): ReadonlySet<string> {
    const incumbents = new Set<string>();
    for (const [key, file] of this.#live) if (this.#leases.has(key)) incumbents.add(holderOf(file));
    return incumbents;
  }

  /**
   * Moves the claims, and says whether that is all: then every live lease is selected, in whatever order they are asked.
   * While one is left out, each move could let it in, or change why it is out.
   */
  #move(moves: readonly Change[]): boolean {
    if (moves.length === 0) return true;
    const claims = this.#claims;
    if (claims === undefined || this.#problems.length > 0) return false;
    for (const { before } of moves) if (before !== undefined) claims.remove(before);
    return moves.every(({ after }) => after === undefined || claims.add(after) === undefined);
  }

  #selectAll({ config, own }: SelectionInput, incumbents: ReadonlySet<string>): void {
    const files = [...this.#live.values()];
    const { selected, problems, claims } = selectLeases({ files, config, own, incumbents });
    this.#claims = claims;
    const sorted = selected.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    this.#leases = new Map(sorted.map(({ key, dated }) => [key, dated]));
    this.#problems = problems.toSorted((a, b) => (a.object < b.object ? -1 : 1));
  }
}

/** The leases after the changes, in the order of the keys, which theirs is too. */
function merged(leases: ReadonlyMap<string, Lease>, changes: readonly Change[]): ReadonlyMap<string, Lease> {
  if (changes.length === 0) return leases;
  const copy = new Map(leases);
  const added: UsableRecord[] = [];
  for (const { key, after } of changes) {
    if (after === undefined) copy.delete(key);
    else if (copy.has(key)) copy.set(key, after.dated);
    else added.push(after);
  }
  if (added.length === 0) return copy;
  added.sort((a, b) => (a.key < b.key ? 1 : -1));
  const ordered = new Map<string, Lease>();
  let next = added.pop();
  for (const [key, lease] of copy) {
    for (; next !== undefined && next.key < key; next = added.pop()) ordered.set(next.key, next.dated);
    ordered.set(key, lease);
  }
  for (; next !== undefined; next = added.pop()) ordered.set(next.key, next.dated);
  return ordered;
}
