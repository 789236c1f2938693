// The selection of leases kept from one look at the directory to the next: what `selectLeases` would say of the files, but a
// change that takes nothing from anybody costs only itself. Knows no files and no clock of its own.
import type { Lease } from '../lease.ts';
import type { StoreProblem } from '../lease-store.ts';
import type { NetworkConfig } from '../network-config.ts';
import { addressesOf, isUsable, type LeaseClaims, type UsableFile } from './lease-claims.ts';
import type { LeaseFile } from './lease-directory.ts';
import { holderOf, selectLeases } from './select-leases.ts';

export type SelectionInput = {
  /** By key; a file that did not change is the same object as before. */
  readonly files: ReadonlyMap<string, LeaseFile>;
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
  /** When the one of them that ends first was renewed; Infinity when there is none. */
  readonly oldest: number;
  /** Whether anything but the ends of leases differs from last time. */
  readonly changed: boolean;
};

type Change = {
  readonly key: string;
  readonly before: UsableFile | undefined;
  readonly after: UsableFile | undefined;
};

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
  #live: ReadonlyMap<string, UsableFile> = new Map();
  #claims: LeaseClaims | undefined;
  #leases: ReadonlyMap<string, Lease> = new Map();
  #problems: readonly StoreProblem[] = [];

  update(input: SelectionInput): SelectedLeases {
    const { live, changes, oldest } = this.#compare(input);
    const moves = changes.filter((change) => !keepsClaims(change));
    const isLocal = this.#config === input.config && this.#own === input.own && this.#move(moves);
    const before = { leases: this.#leases, problems: this.#problems };
    if (!isLocal) this.#selectAll(live, input);
    else if (moves.length > 0) this.#leases = datedInOrder([...live.values()]);
    else if (changes.length > 0) this.#leases = this.#redated(changes);
    this.#live = live;
    this.#config = input.config;
    this.#own = input.own;
    const { leases, problems } = { leases: this.#leases, problems: this.#problems };
    const changed =
      before.leases.size !== leases.size ||
      (!isLocal && [...leases.keys()].some((key) => !before.leases.has(key))) ||
      changes.some(({ key, ...change }) => leases.has(key) && change.before?.lease !== change.after?.lease);
    return { leases, problems, oldest, changed };
  }

  #compare({ files, renewedSince }: SelectionInput) {
    const live = new Map<string, UsableFile>();
    const changes: Change[] = [];
    let oldest = Number.POSITIVE_INFINITY;
    for (const [key, file] of files) {
      if (file.renewedAt < renewedSince || !isUsable(file)) continue;
      live.set(key, file);
      const before = this.#live.get(key);
      if (before !== file) changes.push({ key, before, after: file });
      if (file.renewedAt < oldest) oldest = file.renewedAt;
    }
    for (const [key, before] of this.#live) {
      if (!live.has(key)) changes.push({ key, before, after: undefined });
    }
    return { live, changes, oldest };
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

  #selectAll(live: ReadonlyMap<string, UsableFile>, { config, own }: SelectionInput): void {
    const incumbents = new Set<string>();
    for (const [key, file] of this.#live) if (this.#leases.has(key)) incumbents.add(holderOf(file));
    const files = [...live.values()];
    const { selected, problems, claims } = selectLeases({ files, config, own, incumbents });
    this.#claims = claims;
    this.#leases = datedInOrder(selected);
    this.#problems = problems.toSorted((a, b) => (a.object < b.object ? -1 : 1));
  }

  #redated(changes: readonly Change[]): ReadonlyMap<string, Lease> {
    const leases = new Map(this.#leases);
    for (const { key, after } of changes) {
      if (after !== undefined && leases.has(key)) leases.set(key, after.dated);
    }
    return leases;
  }
}

function datedInOrder(files: readonly UsableFile[]): ReadonlyMap<string, Lease> {
  const sorted = files.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return new Map(sorted.map(({ key, dated }) => [key, dated]));
}
