// `netloom agent`: the agent of a node with the plugin's work in it. Its settings are agent/settings.ts's.
import { Command } from 'commander';
import { agentSettings } from '../../agent/settings.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import type { CommandContext } from '../context.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';
import { runNodeAgent } from '../node-agent.ts';
import { runDaemon } from '../run-daemon.ts';

export function agentCommand(context: CommandContext): Command {
  const command = new Command('agent');
  return addOptions(command, agentSettings)
    .description(
      `Keeps the pod network of this node: leases a subnet, programs the way to the other nodes, wires pods for the CNI plugin
and puts back what was changed by hand. Runs until SIGTERM, which leaves the data path as it is.`,
    )
    .addHelpText(
      'after',
      `
Examples:
  netloom agent --store-directory /mnt/cluster/leases
  netloom agent --config /etc/netloom/agent.yaml --log-level debug
  NETLOOM_IFACE=eth1 netloom agent`,
    )
    .action(() => run(command, context));
}

async function run(command: Command, context: CommandContext): Promise<void> {
  const { settings, warnings } = loadAgentSettings(command, context);
  await runDaemon(context, {
    name: 'agent',
    settings,
    warnings,
    run: (around) => runNodeAgent(settings, around),
  });
}
