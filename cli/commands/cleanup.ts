// `netloom cleanup`: takes away what Netloom made on this node. What that is, agent/cleanup.ts knows; here it gets its access to
// the kernel, and its report is printed.
import { Command } from 'commander';
import { type CleanupReport, cleanUp } from '../../agent/cleanup.ts';
import { createIptablesFirewall } from '../../agent/iptables-firewall.ts';
import { openMadeRecord } from '../../agent/made-record.ts';
import { agentTable } from '../../agent/masquerade-nftables.ts';
import { createNftFirewall } from '../../agent/nft-firewall.ts';
import { agentSocketPath } from '../../agent/run-agent.ts';
import { type AgentSettings, agentSettings } from '../../agent/settings.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import { DirectoryLeaseStore } from '../../store/directory/directory-lease-store.ts';
import type { CommandContext } from '../context.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';
import type { Terminal } from '../terminal.ts';

export function cleanupCommand(context: CommandContext): Command {
  const command = new Command('cleanup');
  return addOptions(command, agentSettings)
    .description(
      `Removes all that Netloom made on this node, and nothing else: its lease, links, routes, rules, firewall and files.
The agent must be stopped. It takes the settings of "netloom agent", to find what that one made.`,
    )
    .option('--dry-run', 'Say what would be removed, and remove nothing')
    .option('--json', 'Print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  netloom cleanup --dry-run
  netloom cleanup --config /etc/netloom/agent.yaml`,
    )
    .action(async () => {
      const { settings } = loadAgentSettings(command, context);
      const dryRun = command.getOptionValue('dryRun') === true;
      const report = await run(settings, { context, dryRun });
      if (command.getOptionValue('json') === true) context.terminal.print(JSON.stringify(report));
      else printReport(report, { terminal: context.terminal, dryRun });
      if (report.failed.length > 0) context.fail();
    });
}

async function run(
  settings: AgentSettings,
  { context, dryRun }: { readonly context: CommandContext; readonly dryRun: boolean },
): Promise<CleanupReport> {
  await using resources = new AsyncDisposableStack();
  const store = new DirectoryLeaseStore({ directory: settings.storeDirectory, ttlMs: settings.leaseTtl });
  resources.defer(() => store.close());
  const route = openRouteDriver();
  resources.defer(() => route.close());
  const driver = openNftDriver({});
  resources.defer(() => driver.close());
  const nft = createNftFirewall(driver);
  resources.defer(() => nft.close());
  const iptables = createIptablesFirewall({ generation: () => driver.generation() });
  resources.defer(() => iptables.close());
  return await cleanUp({
    node: settings.nodeName,
    store,
    route,
    nft,
    iptables,
    hasNftTable: () => driver.read([agentTable]).state.size > 0,
    made: openMadeRecord(settings.stateDirectory),
    stateDirectory: settings.stateDirectory,
    socketPath: agentSocketPath(settings.runDirectory),
    dryRun,
    signal: context.signal,
  });
}

function printReport(
  report: CleanupReport,
  { terminal, dryRun }: { readonly terminal: Terminal; readonly dryRun: boolean },
): void {
  const { done, left, failed } = report;
  for (const line of done) terminal.print(`${dryRun ? 'would remove' : 'removed'}  ${line}`);
  for (const line of left) terminal.print(`left  ${line}`);
  for (const line of failed) terminal.note(`failed  ${line}`);
  if (done.length + left.length + failed.length === 0) terminal.print('Nothing of Netloom is on this node');
}
