// `netloom uninstall`: takes away what `netloom install` put on a node. What the agent made in the kernel is `netloom cleanup`'s.
import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { runUninstall } from '../install/run-install.ts';
import { openServiceManager } from '../install/service-manager.ts';
import { printInstallReport } from './install.ts';

interface UninstallFlags {
  readonly root: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function uninstallCommand(context: CommandContext): Command {
  return new Command('uninstall')
    .description(
      `Ends the daemons and removes what "netloom install" made, all versions, and nothing else: a file that was changed since stays, and is
named. Run "netloom cleanup" first, which takes away what the daemons made in the kernel.`,
    )
    .option('--root <directory>', 'Where it was installed', '/')
    .option('--dry-run', 'Say what would be removed, and remove nothing')
    .option('--json', 'Print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  systemctl disable --now netloom && netloom cleanup --config /etc/netloom/netloom.yaml && netloom uninstall
  netloom uninstall --dry-run`,
    )
    .action(async (flags: UninstallFlags) => {
      const dryRun = flags.dryRun === true;
      const report = await runUninstall({ root: flags.root, dryRun, services: openServiceManager() });
      const json = flags.json === true;
      if (report !== undefined) printInstallReport(report, { context, dryRun, json });
      else if (json) context.terminal.print(JSON.stringify({ version: null, done: [], left: [] }));
      else context.terminal.print('Nothing of "netloom install" is on this node');
    });
}
