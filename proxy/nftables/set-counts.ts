// How many elements the sets of service ports hold, and have room for: the kernel refuses more than a set was made for.
import type { NftStep } from '../../kernel/nft/step.ts';
import { isPortSetName, type PortSetName, type SetSizes } from './proxy-sets.ts';

export type CountChanges = ReadonlyMap<PortSetName, number>;

export class SetCounts {
  readonly #counts: Record<PortSetName, number>;
  #sizes: SetSizes;

  constructor(sizes: SetSizes, counts: Readonly<Record<PortSetName, number>>) {
    this.#sizes = sizes;
    this.#counts = { ...counts };
  }

  get sizes(): SetSizes {
    return this.#sizes;
  }

  resized(set: PortSetName, size: number): void {
    this.#sizes = { ...this.#sizes, [set]: size };
  }

  /** The set that has no room for what a transaction adds, and how many elements it would have. */
  short(changes: CountChanges): { readonly set: PortSetName; readonly needed: number } | undefined {
    for (const [set, change] of changes) {
      const needed = this.#counts[set] + change;
      if (needed > this.#sizes[set]) return { set, needed };
    }
    return undefined;
  }

  apply(changes: CountChanges): void {
    for (const [set, change] of changes) this.#counts[set] += change;
  }
}

/** How many elements steps add to each set, less what they delete. */
export function countChanges(steps: readonly NftStep[]): CountChanges {
  const changes = new Map<PortSetName, number>();
  for (const step of steps) {
    if (step.kind !== 'element-add' && step.kind !== 'element-delete') continue;
    const { name } = step.set;
    if (isPortSetName(name))
      changes.set(name, (changes.get(name) ?? 0) + (step.kind === 'element-add' ? 1 : -1));
  }
  return changes;
}
