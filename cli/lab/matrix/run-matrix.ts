// Makes a lab of each combination in turn, checks it and takes it away again. One that fails does not keep the others from being tried.
import { errorMessage } from '../../../runtime/error-text.ts';
import { silentProgress } from '../../progress.ts';
import { checkLab } from '../check.ts';
import { type LabOptions, planLab } from '../lab-plan.ts';
import { withLabLock } from '../lab-record.ts';
import { sweepLab } from '../sweep.ts';
import { LabStepError, labUp, refuseExisting } from '../up.ts';
import { type Combination, combinationName } from './combination.ts';
import type { MatrixRow } from './matrix-row.ts';

const { signal: never } = new AbortController();

export interface MatrixOptions {
  readonly combinations: readonly Combination[];
  /** The same of every lab. */
  readonly lab: Omit<LabOptions, keyof Combination>;
  /** Why a combination cannot be had here; undefined: it is tried. */
  readonly whyNot: (combination: Combination) => string | undefined;
  /** A lab of that name may be there already and be removed. */
  readonly replace: boolean;
  readonly onStart: (combination: Combination) => void;
  readonly onRow: (row: MatrixRow) => void;
  readonly signal: AbortSignal;
}

/** A lab that fails is a row. Throws Error when a lab of that name is there, and what the signal throws; no lab is left then. */
export async function runMatrix(options: MatrixOptions): Promise<readonly MatrixRow[]> {
  if (!options.replace) refuseExisting(options.lab.name);
  const rows: MatrixRow[] = [];
  for (const combination of options.combinations) {
    options.signal.throwIfAborted();
    const reason = options.whyNot(combination);
    const row =
      reason === undefined
        ? await tried(combination, options)
        : { ...combination, state: 'not-here' as const, checks: 0, ms: 0, reason, failures: [] };
    rows.push(row);
    options.onRow(row);
  }
  return rows;
}

async function tried(
  combination: Combination,
  { lab, replace, onStart, signal }: MatrixOptions,
): Promise<MatrixRow> {
  onStart(combination);
  const started = performance.now();
  let checks: MatrixRow['checks'] = 0;
  const failures: MatrixRow['failures'][number][] = [];
  try {
    const plan = planLab({ ...lab, ...combination });
    const state = await labUp(plan, { progress: silentProgress, signal, replace });
    try {
      const report = await checkLab(state, { signal });
      checks = report.checks.length;
      for (const { name, ok, detail } of report.checks) if (!ok) failures.push({ name, detail });
    } finally {
      // Also when the user interrupts: what is left would only be in the next one's way.
      await withLabLock(lab.name, { signal: never, action: () => sweepLab(lab.name) });
    }
  } catch (error) {
    signal.throwIfAborted();
    const log = error instanceof LabStepError ? error.log : [];
    failures.push({
      name: `lab of ${combinationName(combination)}`,
      detail: [errorMessage(error), ...log].join('\n'),
    });
  }
  return {
    ...combination,
    state: failures.length === 0 ? 'passed' : 'failed',
    checks,
    ms: Math.round(performance.now() - started),
    reason: null,
    failures,
  };
}
