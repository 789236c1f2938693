// Steps of one transaction, and which port each is for: when the kernel refuses one, only that port is left out.
import type { NftStep } from '../../kernel/nft/step.ts';

/** Two lists side by side: a load has hundreds of thousands of steps. */
export class OwnedSteps {
  readonly steps: NftStep[] = [];
  readonly keys: string[] = [];

  add(step: NftStep, key: string): void {
    this.steps.push(step);
    this.keys.push(key);
  }

  addAll({ steps, keys }: OwnedSteps): void {
    for (const [i, step] of steps.entries()) this.add(step, keys[i] ?? '');
  }

  /** Whose each of these steps is. */
  ownersOf(steps: ReadonlySet<NftStep>): ReadonlyMap<NftStep, string> {
    const owners = new Map<NftStep, string>();
    for (const [i, step] of this.steps.entries()) if (steps.has(step)) owners.set(step, this.keys[i] ?? '');
    return owners;
  }
}
