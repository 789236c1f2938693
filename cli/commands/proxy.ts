// `netloom proxy`: the service proxy of a node, and what can be done with its settings short of running it. What it is told is
// proxy/settings.ts's and kube-proxy's flags.
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { z } from 'zod';
import { cleanUpProxy } from '../../proxy/clean-up-proxy.ts';
import { openSysctlAccess } from '../../proxy/conntrack-sysctls.ts';
import { prepareProcess } from '../../proxy/prepare-process.ts';
import { runProxy } from '../../proxy/run-proxy.ts';
import { proxySettings } from '../../proxy/settings.ts';
import { createLog } from '../../runtime/log.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import { checkServices } from '../check-services.ts';
import type { CommandContext } from '../context.ts';
import { addKubeProxyFlags, loadProxySettings } from '../load-proxy-settings.ts';
import { runDaemon } from '../run-daemon.ts';

const actions = z.object({
  check: z.string().optional(),
  json: z.boolean().default(false),
  cleanup: z.boolean().default(false),
  initOnly: z.boolean().default(false),
  writeConfigTo: z.string().optional(),
});

export function proxyCommand(context: CommandContext): Command {
  const command = new Command('proxy');
  return addKubeProxyFlags(addOptions(command, proxySettings))
    .description(
      `Keeps the rules of this node's services: cluster IPs, node ports, load balancers, from manifests in a directory. Does the
work of kube-proxy, whose flags, configuration file, ports and metrics it has. Runs until SIGTERM, which leaves the rules as
they are.`,
    )
    .option('--check <directory>', 'Say what is wrong with the manifests of a directory, and end')
    .option('--json', 'With --check: print the findings as JSON')
    .option('--cleanup', 'Remove the rules of all modes, and end')
    .option('--init-only', 'Set the sysctls that need most privilege, and end')
    .option('--write-config-to <file>', 'Write the settings as a KubeProxyConfiguration, and end')
    .addHelpText(
      'after',
      `
Examples:
  netloom proxy --service-directory /etc/netloom/services --cluster-cidr 10.244.0.0/16
  netloom proxy --config /var/lib/kube-proxy/config.conf --hostname-override "$NODE_NAME"
  netloom proxy --check ./manifests`,
    )
    .action(() => run(command, context));
}

async function run(command: Command, context: CommandContext): Promise<void> {
  const asked = actions.parse(command.opts());
  const { settings, options, warnings } = loadProxySettings(command, context);
  if (asked.check !== undefined) {
    await checkServices(asked.check, { options, json: asked.json, context });
    return;
  }
  if (asked.writeConfigTo !== undefined) {
    writeFileSync(asked.writeConfigTo, stringify(options.configuration));
    return;
  }
  if (asked.cleanup) {
    const { removed, left } = await cleanUpProxy({
      excludePrefixes: options.ipvs.excludePrefixes,
      signal: context.signal,
    });
    for (const line of removed) context.terminal.print(`removed  ${line}`);
    for (const line of left) context.terminal.note(`left  ${line}`);
    if (removed.length + left.length === 0) context.terminal.print('No rules of a proxy are on this node');
    if (left.length > 0) context.fail();
    return;
  }
  if (asked.initOnly) {
    const log = createLog({ level: settings.logLevel, format: settings.logFormat });
    for (const warning of warnings) log.root.warn(warning);
    prepareProcess(options, { access: openSysctlAccess(undefined), log: log.component('proxy') });
    return;
  }
  await runDaemon(context, {
    name: 'proxy',
    settings: { ...settings, nodeName: options.nodeName },
    warnings,
    run: (around) => runProxy(options, around),
  });
}
