// Transactions of one process on the ruleset: each is known to be ours, and names the generation that it goes on top of, so that a
// change by others in between is noticed. Not what they do.
import { isStaleGeneration } from '../../kernel/kernel-error.ts';
import type { SeenGeneration } from '../../kernel/nft/seen-generation.ts';
import type { NftDriver, NftResult, NftStep } from '../../kernel/nft/step.ts';
import type { ForeignChanges } from './foreign-changes.ts';

/** Others change tables of theirs all the time: that is no reason to fail. */
const attempts = 50;

export interface Transactions {
  readonly driver: NftDriver;
  readonly seen: SeenGeneration;
  readonly foreign?: ForeignChanges | undefined;
}

const direct: Pick<ForeignChanges, 'apply'> = {
  apply: (driver, steps, options) => driver.apply(steps, options),
};

/** Applies the steps, whatever others have done to other tables. */
export function transact({ driver, seen, foreign }: Transactions, steps: readonly NftStep[]): NftResult {
  for (let attempt = 1; ; attempt++) {
    const before = driver.generation();
    const result = (foreign ?? direct).apply(driver, steps, { generation: before });
    if (result.kind === 'done') {
      seen.made(before, result.generation);
      return result;
    }
    if (attempt === attempts || !result.faults.some(({ error }) => isStaleGeneration(error))) return result;
  }
}
