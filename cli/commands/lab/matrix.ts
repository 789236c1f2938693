// `netloom lab matrix`: a small lab of each backend, families and proxy mode that this machine can do, one after the other, each checked.
import { release } from 'node:os';
import { z } from 'zod';
import { kernelFeatures } from '../../../agent/doctor/features/kernel-features.ts';
import { probeFeatures } from '../../../agent/doctor/features/probe-features.ts';
import { proxyOptions } from '../../../proxy/options-from-settings.ts';
import { proxyModes } from '../../../proxy/proxy-mode.ts';
import { proxySettings } from '../../../proxy/settings.ts';
import { resolveSettings } from '../../../runtime/settings/resolve-settings.ts';
import type { CommandContext } from '../../context.ts';
import { proxyModeFeatures } from '../../doctor-proxy-modes.ts';
import { labFamilyChoices } from '../../lab/lab-networks.ts';
import { labBackends, planLab } from '../../lab/lab-plan.ts';
import { combinationName, combinations } from '../../lab/matrix/combination.ts';
import { matrixText, rowLine } from '../../lab/matrix/matrix-text.ts';
import { runMatrix } from '../../lab/matrix/run-matrix.ts';
import { whyNotHere } from '../../lab/matrix/why-not-here.ts';
import { asUsage, type Given, usualOptions } from '../lab-action.ts';

const matrixOptions = usualOptions.extend({
  backend: z.array(z.enum(labBackends)).optional(),
  families: z.array(z.enum(labFamilyChoices)).optional(),
  proxyMode: z.array(z.enum(proxyModes)).optional(),
  nodes: z.number(),
  podsPerNode: z.number(),
  patience: z.number(),
  replace: z.boolean().default(false),
  agentFlag: z.array(z.string()).default([]),
});

export async function matrix(context: CommandContext, given: Given): Promise<void> {
  const { json, replace, backend, families, proxyMode, agentFlag, ...options } = matrixOptions.parse(
    given.options,
  );
  const { terminal, signal } = context;
  const lab = { ...options, agentFlags: agentFlag };
  // What no lab could be made of is said before the first one.
  asUsage(() => planLab({ ...lab, backend: 'vxlan' }));
  const { settings } = resolveSettings(proxySettings, {});
  const proxy = proxyOptions(settings);
  const features = [...kernelFeatures({ ipvsScheduler: proxy.ipvs.scheduler }), ...proxyModeFeatures(proxy)];
  terminal.redraw(`trying ${features.length} features …`);
  const answers = await probeFeatures(features, { signal });
  const rows = await runMatrix({
    combinations: combinations({ backends: backend, families, proxyModes: proxyMode }),
    lab,
    whyNot: (combination) => whyNotHere(combination, answers),
    replace,
    onStart: (combination) => terminal.redraw(`${combinationName(combination)} …`),
    onRow(row) {
      if (!json) terminal.print(rowLine(row, terminal.style));
    },
    signal,
  });
  const report = { kernel: release(), matrix: rows };
  if (json) terminal.print(JSON.stringify(report));
  else for (const line of ['', ...matrixText(report, terminal.style)]) terminal.print(line);
  if (rows.some(({ state }) => state === 'failed')) context.fail();
}
