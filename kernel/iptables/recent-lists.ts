// The lists of `-m recent` as the kernel keeps them (net/netfilter/xt_recent.c): addresses by age of their last packet, a hundred a
// list. Time is the caller's.
import { IpAddress } from '../../net/address.ts';
import type { RecentMatch } from './rule.ts';

/** ip_list_tot: the oldest entry makes room for a new one. Silently: kube-proxy's affinity forgets clients beyond it. */
export const recentListSize = 100;

export interface RecentLookup {
  readonly match: RecentMatch;
  readonly address: IpAddress;
  /** Milliseconds of any clock that only goes forward. */
  readonly now: number;
}

export class RecentLists {
  /** List -> address -> time of its last packet, the oldest first. */
  readonly #lists = new Map<string, Map<string, number>>();

  /** Whether the match fits; as a side effect it sets and reaps. */
  look({ match, address, now }: RecentLookup): boolean {
    const list = this.#list(match.list);
    const key = masked(address, match.mask).toString();
    if (match.action === 'set') {
      const [oldest] = list.keys();
      if (!list.has(key) && list.size >= recentListSize && oldest !== undefined) list.delete(oldest);
      list.delete(key);
      list.set(key, now);
      return !match.not;
    }
    const last = list.get(key);
    if (last === undefined) return match.not;
    const since = match.seconds === undefined ? Number.NEGATIVE_INFINITY : now - match.seconds * 1000;
    if (match.reap) reapOne(list, since);
    return last >= since !== match.not;
  }

  copy(): RecentLists {
    const other = new RecentLists();
    for (const [name, list] of this.#lists) other.#lists.set(name, new Map(list));
    return other;
  }

  get isEmpty(): boolean {
    return this.#lists.size === 0;
  }

  /** Addresses of a list, the oldest first. */
  addresses(list: string): readonly string[] {
    return [...(this.#lists.get(list)?.keys() ?? [])];
  }

  /** Forgets the lists that no rule names any more, as the kernel does. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#lists.keys()) if (!names.has(name)) this.#lists.delete(name);
  }

  #list(name: string): Map<string, number> {
    const list = this.#lists.get(name) ?? new Map<string, number>();
    this.#lists.set(name, list);
    return list;
  }
}

/** Only the oldest entry, and only one a look. */
function reapOne(list: Map<string, number>, since: number): void {
  const [oldest] = list;
  if (oldest !== undefined && oldest[1] < since) list.delete(oldest[0]);
}

function masked(address: IpAddress, mask: IpAddress): IpAddress {
  return IpAddress.fromBytes(address.bytes.map((byte, i) => byte & (mask.bytes[i] ?? 0)));
}
