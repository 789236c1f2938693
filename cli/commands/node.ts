// `netloom node`: agent and proxy of a node in one process, the default install. It takes the settings of both.
import { Command } from 'commander';
import { agentSettings } from '../../agent/settings.ts';
import { SeenGeneration } from '../../kernel/nft/seen-generation.ts';
import { runProxy } from '../../proxy/run-proxy.ts';
import { type ProxySettings, proxySettings } from '../../proxy/settings.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import type { CommandContext } from '../context.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';
import { addKubeProxyFlags, loadProxySettings } from '../load-proxy-settings.ts';
import { runNodeAgent } from '../node-agent.ts';
import { runDaemon } from '../run-daemon.ts';

export function nodeCommand(context: CommandContext): Command {
  const command = new Command('node');
  return addKubeProxyFlags(addOptions(command, { ...proxySettings, ...agentSettings }))
    .description(
      `Agent and proxy of this node in one process: its pod network and its services. Takes the settings of "netloom agent" and of
"netloom proxy". Runs until SIGTERM, which leaves the data path as it is.`,
    )
    .option(
      '--proxy-config <file>',
      'Settings of the proxy in a file of their own: kube-proxy’s configuration, as it is',
    )
    .addHelpText(
      'after',
      `
Examples:
  netloom node --config /etc/netloom/node.yaml
  netloom node --proxy-config /var/lib/kube-proxy/config.conf --store-directory /mnt/cluster/leases`,
    )
    .action(() => run(command, context));
}

async function run(command: Command, context: CommandContext): Promise<void> {
  const { settings, warnings } = loadAgentSettings(command, context);
  const path: unknown = command.getOptionValue('proxyConfig');
  const proxy = loadProxySettings(command, context, {
    path: typeof path === 'string' ? path : undefined,
    adjust: (loaded) => withOwnBridge(loaded, settings.bridge),
  });
  await runDaemon(context, {
    name: 'node',
    settings,
    warnings: [...new Set([...warnings, ...proxy.warnings])],
    async run({ log, signal }) {
      // Who ends with an error takes the other one along.
      const ending = new AbortController();
      const either = AbortSignal.any([signal, ending.signal]);
      const beside = new SeenGeneration();
      const around = { log, signal: either, beside };
      const parts = [runNodeAgent(settings, around), runProxy(proxy.options, around)].map((part) =>
        part.catch((error: unknown) => {
          ending.abort();
          throw error;
        }),
      );
      const [failed] = (await Promise.allSettled(parts)).filter(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    },
  });
}

/** Unless it was told how, the proxy tells this node's pods by the bridge that the agent attaches them to. */
function withOwnBridge(settings: ProxySettings, bridge: string): ProxySettings {
  const told = settings.detectLocalMode !== 'ClusterCIDR' || settings.clusterCidr.length > 0;
  return told ? settings : { ...settings, detectLocalMode: 'BridgeInterface', podBridgeInterface: bridge };
}
