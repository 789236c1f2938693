// `netloom lab status`: the map, or all of it as JSON.
import type { CommandContext } from '../../context.ts';
import { isHealthy, reportLab } from '../../lab/lab-report.ts';
import { requireLab } from '../../lab/lab-state.ts';
import { drawLab } from '../../lab/map.ts';
import { type Given, usualOptions } from '../lab-action.ts';

export async function status(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  const { terminal, signal } = context;
  const report = await reportLab(requireLab(options.name, { complete: false }), signal);
  if (options.json) terminal.print(JSON.stringify(report));
  else for (const line of drawLab(report, terminal.columns)) terminal.print(line);
  if (!isHealthy(report)) context.fail();
}
