// `netloom agent`: the agent of a node with the plugin's work in it. Its settings are agent/settings.ts's.
import { join } from 'node:path';
import { Command } from 'commander';
import { runAgent } from '../../agent/run-agent.ts';
import { type AgentSettings, agentSettings } from '../../agent/settings.ts';
import { conflistName, conflistText } from '../../cni/conflist.ts';
import { realClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import { createShutdown } from '../../runtime/shutdown.ts';
import { agentCniHandler } from '../agent-cni-handler.ts';
import type { CommandContext } from '../context.ts';
import { keepCompiled } from '../keep-compiled.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';

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
  const log = createLog({
    level: settings.logLevel,
    format: settings.logFormat,
    fields: { node: settings.nodeName },
  });
  for (const warning of warnings) log.root.warn(warning);
  const shutdown = createShutdown({ process, log: log.component('shutdown'), clock: realClock });
  // Only now: without any listener, a signal that is on its way would be lost.
  context.releaseSignals();
  if (context.signal.aborted) {
    // The command line heard it while the program was still loading: nothing has been opened.
    log.component('shutdown').info('asked to stop before the start');
    return;
  }
  const running = runAgent(settings, {
    log,
    signal: shutdown.signal,
    cni: (agent, firewall) => agentCniHandler(agent, { settings, log: log.component('cni'), firewall }),
    files: cniFiles(settings),
  });
  shutdown.add('agent', () => running);
  keepCompiled();
  await running;
}

/** What makes a container runtime call the plugin. None when the directory is "". */
function cniFiles(settings: AgentSettings): ReadonlyMap<string, string> {
  if (settings.cniConfDirectory === '') return new Map();
  return new Map([[join(settings.cniConfDirectory, conflistName), conflistText(settings)]]);
}
