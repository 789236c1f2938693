// Keeps the nftables form of our rules in the kernel: one table of ours, changed in one transaction. What the rules are is
// masquerade-nftables.ts.
import { isStaleGeneration } from '../kernel/kernel-error.ts';
import { nftState } from '../kernel/nft/objects.ts';
import { planNft } from '../kernel/nft/plan.ts';
import { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import { generationAfter, type NftDriver } from '../kernel/nft/step.ts';
import type { Firewall } from './firewall.ts';
import type { MasqueradeInput } from './masquerade-input.ts';
import { agentTable, masqueradeTable } from './masquerade-nftables.ts';

/** Somebody who changes the ruleset at each attempt goes on doing so: the runner tries again later. */
const attempts = 5;

export function createNftFirewall(driver: NftDriver, seen = new SeenGeneration()): Firewall {
  let wantedText: string | undefined;

  /** The plan of one look, applied to exactly what was looked at. Undefined when that had changed meanwhile. */
  function attempt(wanted: MasqueradeInput | undefined): readonly string[] | undefined {
    const desired = nftState(wanted === undefined ? [] : [masqueradeTable(wanted)]);
    const { state, generation } = driver.read([agentTable]);
    const steps = planNft(desired, state);
    if (steps.length === 0) {
      seen.looked(generation);
      return [];
    }
    const result = driver.apply(steps, { generation });
    if (result.kind === 'refused' && result.faults.some(({ error }) => isStaleGeneration(error)))
      return undefined;
    seen.looked(generation);
    seen.made(generation, generationAfter(result));
    return steps.map((step) => step.kind);
  }

  return {
    async ensure(wanted, { thorough }) {
      const text = JSON.stringify(wanted ?? null);
      if (text === wantedText && !thorough && seen.isCurrent(driver.generation())) return [];
      wantedText = undefined;
      for (let i = 0; i < attempts; i++) {
        const changes = attempt(wanted);
        if (changes === undefined) continue;
        wantedText = text;
        return changes;
      }
      throw new Error(
        `Cannot change table "inet netloom": the ruleset changed during each of ${attempts} attempts`,
      );
    },
    changed: () => wantedText !== undefined && !seen.isCurrent(driver.generation()),
    close() {},
  };
}
