// The command tree. Each command is a file of commands/, loaded only when it is the one that was called: `netloom status`
// must not pay for what the lab or an agent needs.
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { packageRoot } from '../runtime/package-files.ts';
import type { CommandContext } from './context.ts';

/** `wholeProgram` gives the tree with every command loaded. */
export type MakeCommand = (context: CommandContext, wholeProgram: () => Promise<Command>) => Command;

interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<MakeCommand>;
}

/** In the order of `netloom --help`. */
const commands: Readonly<Record<string, CommandEntry>> = {
  lab: {
    summary: 'A whole cluster of network namespaces on this machine',
    load: async () => (await import('./commands/lab.ts')).labCommand,
  },
  agent: {
    summary: 'The agent of a node: leases, routes, masquerading, pods (long-running)',
    load: async () => (await import('./commands/agent.ts')).agentCommand,
  },
  proxy: {
    summary: 'The service proxy of a node: cluster IPs, node ports, load balancers (long-running)',
    load: async () => (await import('./commands/proxy.ts')).proxyCommand,
  },
  node: {
    summary: 'Agent and proxy of a node in one process (long-running)',
    load: async () => (await import('./commands/node.ts')).nodeCommand,
  },
  status: {
    summary: 'What this node’s agent and proxy know and do',
    load: async () => (await import('./commands/status.ts')).statusCommand,
  },
  doctor: {
    summary: 'Finds what leaked or stands in the way on this node, and mends it',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  cleanup: {
    summary: 'Removes all that Netloom made on this node, and nothing else',
    load: async () => (await import('./commands/cleanup.ts')).cleanupCommand,
  },
  install: {
    summary: 'Installs this release on a node: plugin, units, configuration',
    load: async () => (await import('./commands/install.ts')).installCommand,
  },
  uninstall: {
    summary: 'Removes what "netloom install" put on a node',
    load: async () => (await import('./commands/uninstall.ts')).uninstallCommand,
  },
  bench: {
    summary: 'Measures Netloom beside the programs that it stands in for',
    load: async () => (await import('./commands/bench.ts')).benchCommand,
  },
  completion: {
    summary: 'Prints the completion script of a shell',
    load: async () => (await import('./commands/completion.ts')).completionCommand,
  },
};

export const commandNames: readonly string[] = Object.keys(commands);

function packageVersion(): string {
  const text = readFileSync(`${packageRoot}/package.json`, 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

/** With `called` in full and the others as their one line; all in full when it is undefined. */
export async function buildProgram(context: CommandContext, called: string | undefined): Promise<Command> {
  const program = new Command('netloom')
    .description('The network of a Kubernetes node, and a lab to see it work')
    .version(packageVersion(), '--version', 'Print the version')
    .option('--debug', 'Tell where an error came from')
    .helpCommand(false)
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
Examples:
  netloom lab up        a cluster of three nodes on this machine
  netloom lab check     proves that every pod reaches every other one
  netloom status        what the agent of this node does

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
    );
  for (const [name, entry] of Object.entries(commands)) {
    const loaded = called === undefined || called === name;
    const command = loaded
      ? (await entry.load())(context, () => buildProgram(context, undefined))
      : new Command(name);
    program.addCommand(
      command
        .name(name)
        .summary(entry.summary)
        .description(command.description() || entry.summary),
    );
  }
  for (const command of [program, ...descendants(program)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => context.terminal.print(text.trimEnd()),
      writeErr: (text) => context.terminal.note(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error: /, 'netloom: ')),
    });
  }
  return program;
}

/** All commands below one. */
export function descendants(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}
