// `netloom lab up`: makes the lab, proves it if asked to, and ends with what runs and what to try next.
import { z } from 'zod';
import { proxyModes } from '../../../proxy/proxy-mode.ts';
import type { CommandContext } from '../../context.ts';
import { allPassed } from '../../lab/check.ts';
import { labFamilyChoices } from '../../lab/lab-networks.ts';
import { type LabPlan, labBackends, planLab } from '../../lab/lab-plan.ts';
import { reportLab } from '../../lab/lab-report.ts';
import type { LabState } from '../../lab/lab-state.ts';
import { drawLab } from '../../lab/map.ts';
import { labUp } from '../../lab/up.ts';
import { asUsage, type Given, progressFor, usualOptions } from '../lab-action.ts';
import { proveLab } from './check.ts';

const upOptions = usualOptions.extend({
  nodes: z.number(),
  podsPerNode: z.number(),
  backend: z.enum(labBackends),
  families: z.enum(labFamilyChoices),
  proxyMode: z.enum(proxyModes),
  replace: z.boolean().default(false),
  prove: z.boolean().default(false),
  patience: z.number(),
  agentFlag: z.array(z.string()).default([]),
});

export async function up(context: CommandContext, given: Given): Promise<void> {
  const options = upOptions.parse(given.options);
  const { terminal, signal } = context;
  const plan = asUsage(() => planLab({ ...options, agentFlags: options.agentFlag }));
  const state = await labUp(plan, {
    progress: progressFor(context, options.json),
    signal,
    replace: options.replace,
  });
  const report = options.prove ? await proveLab(context, { state, json: options.json }) : undefined;
  const lab = await reportLab(state, signal);
  if (options.json) {
    terminal.print(JSON.stringify({ ...lab, ...report }));
  } else {
    for (const line of [
      '',
      ...drawLab(lab, terminal.columns),
      '',
      ...whatNext(plan, { state, program: context.program }),
    ])
      terminal.print(line);
  }
  if (report !== undefined && !allPassed(report)) context.fail();
}

function whatNext(
  plan: LabPlan,
  { state, program }: { readonly state: LabState; readonly program: string },
): readonly string[] {
  const flag = plan.name === 'default' ? '' : ` --name ${plan.name}`;
  const [first] = state.pods;
  const other = state.pods.find(({ node }) => node !== first?.node) ?? state.pods[1];
  const inside = (place: string, command: string): string => `lab exec${flag} ${place} -- ${command}`;
  const lines = [
    ...(first === undefined ? [] : (other?.addresses ?? [])).map((address) =>
      inside(first?.name ?? '', `ping -c3 ${address}`),
    ),
    ...plan.networks.map(({ family }) => inside('n1', family === 4 ? 'ip route' : 'ip -6 route')),
    inside('n1', `${program} status`),
    `lab service add${flag} web --port 80`,
    `lab check${flag}`,
    `lab down${flag}`,
  ];
  return ['Try next:', ...lines.map((line) => `  ${program} ${line}`)];
}
