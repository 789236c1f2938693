// Who holds an address or a node port that several service ports want: a book of claims by key. What the keys are is
// service-claims.ts's.

/** A number where the thing fits one: at scale, half of the memory of its text. */
export type ClaimKey = string | number;

/** One port of one service; or, with the number after its last port, the service as a whole. */
export interface Claimant {
  /** "ns/name". */
  readonly service: string;
  readonly createdAt: number | undefined;
  readonly index: number;
}

/** Every call costs the same however many claims there are; only claims of the same key are gone through. */
export interface Claims {
  claim(key: ClaimKey, by: Claimant): void;
  /** Takes back a claim made by the same port; does nothing when there is none. */
  release(key: ClaimKey, by: Claimant): void;
  /** How many keys have several claimants: while none has, everybody holds what they claim, and nobody needs to ask. */
  readonly contested: number;
  /** The first of its claimants. */
  holder(key: ClaimKey): Claimant | undefined;
  /** The key's claimants must be looked at again. */
  touch(key: ClaimKey): void;
  /** The services that are concerned by a change of holder, or by `touch`, since it was last asked. Claims made alone concern nobody. */
  takeAffected(): ReadonlySet<string>;
}

const noServices: ReadonlySet<string> = new Set();

/** Negative where `a` has the better claim: created first (unknown is last), then by name, then by its place in the service. */
export function compareClaimants(a: Claimant, b: Claimant): number {
  const [left, right] = [a.createdAt ?? Number.POSITIVE_INFINITY, b.createdAt ?? Number.POSITIVE_INFINITY];
  if (left !== right) return left < right ? -1 : 1;
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return a.index - b.index;
}

export function createClaims(): Claims {
  // Nearly every key has one claimant, which then stands for itself: half of the memory of a list each.
  const claimants = new Map<ClaimKey, Claimant | Claimant[]>();
  const touched = new Set<ClaimKey>();
  let contested = 0;
  const listOf = (key: ClaimKey): Claimant[] => {
    const found = claimants.get(key);
    return found === undefined ? [] : 'service' in found ? [found] : found;
  };
  return {
    get contested() {
      return contested;
    },
    claim(key, by) {
      if (!claimants.has(key)) {
        claimants.set(key, by);
        return;
      }
      const list = listOf(key);
      const place = placeOf(by, list);
      list.splice(place, 0, by);
      if (list.length === 2) {
        claimants.set(key, list);
        contested++;
      }
      if (place === 0) touched.add(key);
    },
    release(key, by) {
      const list = listOf(key);
      const place = list.findIndex((other) => other.service === by.service && other.index === by.index);
      if (place < 0) return;
      list.splice(place, 1);
      const [first] = list;
      if (first === undefined) claimants.delete(key);
      else if (list.length === 1) {
        claimants.set(key, first);
        contested--;
      }
      if (place === 0 && first !== undefined) touched.add(key);
    },
    holder(key) {
      const found = claimants.get(key);
      return found === undefined || 'service' in found ? found : found[0];
    },
    touch(key) {
      if (claimants.has(key)) touched.add(key);
    },
    takeAffected() {
      if (touched.size === 0) return noServices;
      const services = new Set<string>();
      for (const key of touched) for (const { service } of listOf(key)) services.add(service);
      touched.clear();
      return services;
    },
  };
}

/** By bisection: a template gone wrong may make thousands want the same. */
function placeOf(by: Claimant, sorted: readonly Claimant[]): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = sorted[middle];
    if (other !== undefined && compareClaimants(other, by) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
