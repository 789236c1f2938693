// Gathers the steps of many ports in the order of a transaction: elements of one set together, since they travel in one message.
import type { NftStep } from '../../kernel/nft/step.ts';
import { OwnedSteps } from './owned-steps.ts';
import { type ElementAdd, placeIn, sameContents } from './port-elements.ts';

export class StepBuckets {
  readonly #classes = new OwnedSteps();
  readonly #deletes = new Map<string, OwnedSteps>();
  readonly #adds = new Map<string, OwnedSteps>();

  classAdded(key: string, steps: readonly NftStep[]): void {
    for (const step of steps) this.#classes.add(step, key);
  }

  add(key: string, step: ElementAdd): void {
    bucket(this.#adds, step.set.name).add(step, key);
  }

  remove(key: string, step: ElementAdd): void {
    bucket(this.#deletes, step.set.name).add({ ...step, kind: 'element-delete' }, key);
  }

  /** From the elements that a port had to those that it should have. */
  difference(key: string, before: readonly ElementAdd[], after: readonly ElementAdd[]): void {
    if (before.length === 0) {
      for (const one of after) this.add(key, one);
      return;
    }
    const old = new Map(before.map((one) => [place(one), one]));
    for (const one of after) {
      const at = place(one);
      const there = old.get(at);
      old.delete(at);
      if (there !== undefined) {
        if (sameContents(there.element, one.element)) continue;
        this.remove(key, there);
      }
      this.add(key, one);
    }
    for (const one of old.values()) this.remove(key, one);
  }

  /** Chains before rules that lead to them, rules before the elements that lead there; all deletes before all adds. */
  all(): OwnedSteps {
    const all = new OwnedSteps();
    for (const kind of ['chain-add', 'rule-add', 'element-add'] as const)
      for (const [i, step] of this.#classes.steps.entries())
        if (step.kind === kind) all.add(step, this.#classes.keys[i] ?? '');
    for (const one of this.#deletes.values()) all.addAll(one);
    for (const one of this.#adds.values()) all.addAll(one);
    return all;
  }
}

function place({ set, element }: ElementAdd): string {
  return `${set.name} ${placeIn(set, element)}`;
}

function bucket(buckets: Map<string, OwnedSteps>, name: string): OwnedSteps {
  const there = buckets.get(name);
  if (there !== undefined) return there;
  const made = new OwnedSteps();
  buckets.set(name, made);
  return made;
}
