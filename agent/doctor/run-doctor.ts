// One visit of the doctor: looks, mends if asked to, and looks again at what is left.
import { createWiring } from '../wiring/wiring.ts';
import { runChecks } from './checks.ts';
import type { Finding } from './finding.ts';
import { type FactSources, gatherFacts } from './gather-facts.ts';
import { createRepair, mendFindings, type RepairOutcome } from './repair.ts';

export interface DoctorReport extends RepairOutcome {
  /** What is wrong at the end. */
  readonly findings: readonly Finding[];
}

export async function runDoctor(
  sources: FactSources,
  options: { readonly fix: boolean },
): Promise<DoctorReport> {
  const findings = runChecks(await gatherFacts(sources));
  if (!options.fix || findings.every(({ mend }) => mend === undefined))
    return { findings, mended: [], failed: [] };
  const { runDirectory, ipamDirectory, netns } = sources;
  const wiring = createWiring({ netns });
  try {
    const outcome = await mendFindings(
      findings,
      createRepair({ wiring, runDirectory, ipamDirectory, netns }),
    );
    return { findings: runChecks(await gatherFacts(sources)), ...outcome };
  } finally {
    await wiring.close();
  }
}
