// `netloom doctor`: looks for what leaked on this node or stands in its pods' way, and mends it. The checks are agent/doctor's.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import type { FactSources } from '../../agent/doctor/gather-facts.ts';
import { runDoctor } from '../../agent/doctor/run-doctor.ts';
import { type AgentSettings, agentSettings } from '../../agent/settings.ts';
import { AttachmentRecords } from '../../agent/wiring/attachment-record.ts';
import { conflistName, conflistText } from '../../cni/conflist.ts';
import { queueDirectory } from '../../cni/del-queue-entry.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import type { CommandContext } from '../context.ts';
import { doctorJson, doctorText } from '../doctor-text.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';

export function doctorCommand(context: CommandContext): Command {
  const command = new Command('doctor');
  return addOptions(command, agentSettings)
    .description(
      `Looks for what leaked on this node (addresses, interfaces, records, files) and for what stands in its pods' way.
It takes the settings of "netloom agent", which may run meanwhile. Exits with 1 when something is wrong, or could not be mended.`,
    )
    .option('--fix', 'Mend what can be mended; pods that live are left alone')
    .option('--json', 'Print the findings as JSON')
    .addHelpText(
      'after',
      `
Examples:
  netloom doctor
  netloom doctor --fix --config /etc/netloom/agent.yaml
  netloom doctor --json | jq '.findings[] | select(.severity == "error")'`,
    )
    .action(async () => {
      const { settings } = loadAgentSettings(command, context);
      const fix = command.getOptionValue('fix') === true;
      const report = await runDoctor(factSources(settings, context.signal), { fix });
      const { terminal } = context;
      if (command.getOptionValue('json') === true) terminal.print(doctorJson(report, { fix }));
      else for (const line of doctorText(report, terminal.style)) terminal.print(line);
      if (report.findings.length + report.failed.length > 0) context.fail();
    });
}

function factSources(settings: AgentSettings, signal: AbortSignal): FactSources {
  const { runDirectory, ipamDirectory, subnetFile, bridge, masquerade } = settings;
  return {
    runDirectory,
    ipamDirectory,
    subnetFile,
    bridge,
    masquerade,
    records: new AttachmentRecords({ runDirectory }),
    networks: [networkName(settings)],
    queueDirectory: queueDirectory(settings.stateDirectory),
    conflists: { directory: settings.cniConfDirectory, own: conflistName },
    signal,
  };
}

const nameShape = z.object({ name: z.string() });

/** Of the network that is installed; of the one that would be, if none is. */
function networkName(settings: AgentSettings): string {
  try {
    return nameShape.parse(JSON.parse(readFileSync(join(settings.cniConfDirectory, conflistName), 'utf8')))
      .name;
  } catch {
    return nameShape.parse(JSON.parse(conflistText(settings))).name;
  }
}
