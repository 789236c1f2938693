// A set of prefixes of which no two overlap, sorted, so that the overlap of one more is found in O(log n).
import type { Prefix } from '../net/prefix.ts';

export class DisjointPrefixes<Owner> {
  readonly #entries: { readonly prefix: Prefix; readonly owner: Owner }[] = [];

  /** Number of entries that start at or before the prefix. */
  #rank(prefix: Prefix): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && entry.prefix.address.compare(prefix.address) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** An entry that overlaps the network, if there is one. */
  overlapping(network: Prefix): { readonly prefix: Prefix; readonly owner: Owner } | undefined {
    const rank = this.#rank(network);
    return [this.#entries[rank - 1], this.#entries[rank]].find((entry) => entry?.prefix.overlaps(network));
  }

  /** Adds a network (no host bits). Throws RangeError when it overlaps one that is there. */
  add(network: Prefix, owner: Owner): void {
    const other = this.overlapping(network);
    if (other !== undefined) throw new RangeError(`Cannot add "${network}": it overlaps "${other.prefix}"`);
    this.#entries.splice(this.#rank(network), 0, { prefix: network, owner });
  }

  /** Takes out what was added with this network; false when there is no such entry. */
  remove(network: Prefix): boolean {
    const rank = this.#rank(network);
    if (!this.#entries[rank - 1]?.prefix.equals(network)) return false;
    this.#entries.splice(rank - 1, 1);
    return true;
  }
}
