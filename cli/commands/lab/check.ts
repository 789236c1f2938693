// `netloom lab check`: proves the lab and shows the results as they come.
import type { CommandContext } from '../../context.ts';
import { allPassed, checkLab } from '../../lab/check.ts';
import { checkLine } from '../../lab/check-line.ts';
import type { CheckReport, CheckResult } from '../../lab/check-result.ts';
import { type LabState, requireLab } from '../../lab/lab-state.ts';
import { type Given, usualOptions } from '../lab-action.ts';

export async function check(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  const report = await proveLab(context, { state: requireLab(options.name), json: options.json });
  if (options.json) context.terminal.print(JSON.stringify(report));
  if (!allPassed(report)) context.fail();
}

/** `lab up --prove` and `lab check` show the same. */
export async function proveLab(
  context: CommandContext,
  { state, json }: { readonly state: LabState; readonly json: boolean },
): Promise<CheckReport> {
  const { terminal, signal } = context;
  const show = (result: CheckResult): void => terminal.print(checkLine(result, terminal.style));
  const report = await checkLab(state, { signal, ...(json ? {} : { onResult: show }) });
  if (!json) {
    const failed = report.checks.filter(({ ok }) => !ok).length;
    const passed = report.checks.length - failed;
    terminal.print(failed === 0 ? `${passed} checks passed` : `${failed} checks failed, ${passed} passed`);
  }
  return report;
}
