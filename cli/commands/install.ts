// `netloom install`: puts the release that it runs from on a node. What goes where is cli/install's.
import { Command } from 'commander';
import { packageRoot } from '../../runtime/package-files.ts';
import type { CommandContext } from '../context.ts';
import { type InstallReport, runInstall } from '../install/run-install.ts';
import { openServiceManager } from '../install/service-manager.ts';

interface InstallFlags {
  readonly root: string;
  readonly pluginOnly?: boolean;
  readonly cniBin: string;
  readonly restart: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function installCommand(context: CommandContext): Command {
  return new Command('install')
    .description(
      `Installs the release that it is run from: beside other versions in /opt/netloom, the plugin in /opt/cni/bin, units, manual pages, and
/etc/netloom/netloom.yaml with all settings commented out. Daemons that run are restarted; pods and rules stay. The same command of
the version before, in /opt/netloom, goes back to it. A second run changes nothing.`,
    )
    .option('--root <directory>', 'Install below this directory', '/')
    .option(
      '--plugin-only',
      'Only the plugin and what it runs without an agent: for nodes whose agent is a container',
    )
    .option('--cni-bin <directory>', 'Where the container runtime looks for plugins', '/opt/cni/bin')
    .option('--no-restart', 'Leave daemons that run as they are')
    .option('--dry-run', 'Say what would be done, and do nothing')
    .option('--json', 'Print the report as JSON')
    .addHelpText(
      'after',
      `
Examples:
  tar -xf netloom-0.1.0-linux-x64.tar.gz && netloom-0.1.0/scripts/netloom install --dry-run
  netloom-0.1.0/scripts/netloom install && systemctl enable --now netloom
  /opt/netloom/0.0.9/scripts/netloom install      back to the version before
  netloom install --root /host --plugin-only      the init container of deploy/netloom.yml`,
    )
    .action(async (flags: InstallFlags) => {
      const dryRun = flags.dryRun === true;
      const report = await runInstall({
        directory: packageRoot,
        root: flags.root,
        pluginOnly: flags.pluginOnly === true,
        cniBinDirectory: flags.cniBin,
        restart: flags.restart,
        dryRun,
        services: openServiceManager(),
      });
      printInstallReport(report, { context, dryRun, json: flags.json === true });
      if (flags.json !== true && report.done.length === 0)
        context.terminal.print(`Netloom ${report.version} is installed: nothing to change`);
    });
}

export function printInstallReport(
  report: InstallReport,
  {
    context,
    dryRun,
    json,
  }: { readonly context: CommandContext; readonly dryRun: boolean; readonly json: boolean },
): void {
  const { terminal } = context;
  if (json) {
    terminal.print(JSON.stringify(report));
    return;
  }
  for (const line of report.done) terminal.print(`${dryRun ? 'would do' : 'done'}  ${line}`);
  for (const line of report.left) terminal.print(`left  ${line}`);
}
