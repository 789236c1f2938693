// `netloom cleanup`: takes away what Netloom made on this node, and prints what became of it. What that is, agent/cleanup.ts knows.
import { Command } from 'commander';
import type { CleanupReport } from '../../agent/cleanup.ts';
import { runCleanup } from '../../agent/run-cleanup.ts';
import { agentSettings } from '../../agent/settings.ts';
import { proxySettings } from '../../proxy/settings.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import { cleanUpServices } from '../clean-up-services.ts';
import type { CommandContext } from '../context.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';
import { loadProxySettings } from '../load-proxy-settings.ts';
import type { Terminal } from '../terminal.ts';

export function cleanupCommand(context: CommandContext): Command {
  const command = new Command('cleanup');
  return addOptions(command, { ...proxySettings, ...agentSettings })
    .description(
      `Removes all that Netloom made on this node, and nothing else: its lease, links, routes, rules, firewall and files.
Agent and proxy must be stopped. It takes their settings, to find what they made.`,
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
      const proxy = loadProxySettings(command, context);
      const dryRun = command.getOptionValue('dryRun') === true;
      const services = await cleanUpServices({
        mode: proxy.options.mode,
        runDirectory: settings.runDirectory,
        excludePrefixes: proxy.options.ipvs.excludePrefixes,
        dryRun,
      });
      const rest = await runCleanup(settings, { dryRun, signal: context.signal });
      const report = { ...rest, done: [...services, ...rest.done] };
      if (command.getOptionValue('json') === true) context.terminal.print(JSON.stringify(report));
      else printReport(report, { terminal: context.terminal, dryRun });
      if (report.failed.length > 0) context.fail();
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
