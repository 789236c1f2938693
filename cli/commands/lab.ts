// `netloom lab`: the command line of the lab. What the words do is in cli/lab/.

import { Command, Option } from 'commander';
import type { CommandContext } from '../context.ts';
import { labBackends, labName, mostNodes, mostPodsPerNode } from '../lab/lab-plan.ts';
import { numberBetween, parsed } from '../option-parsers.ts';
import type { LabAction } from './lab-action.ts';

/** An action is loaded when it runs: `--help` needs none, and `exec` not what `up` needs. */
function run(context: CommandContext, load: () => Promise<LabAction>) {
  return async (...parameters: unknown[]): Promise<void> => {
    const command = parameters.at(-1);
    if (!(command instanceof Command)) throw new TypeError('Commander called an action without its command');
    const action = await load();
    await action(context, { options: command.opts(), args: command.args });
  };
}

export function labCommand(context: CommandContext): Command {
  const lab = new Command('lab').description(
    `A cluster of network namespaces on this machine: real kernel objects, real agents, pods wired by the real plugin.
Nothing outside of its namespaces (/run/netns/netloom-NAME-…) and its directory (/run/netloom-lab/NAME) is touched.`,
  );
  // What follows the command of `exec` is that command's, options too.
  lab.enablePositionalOptions().helpCommand(false);
  const add = (name: string, summary: string): Command =>
    lab
      .command(name)
      .description(summary)
      .addOption(new Option('-n, --name <name>', 'Which lab').default('default').argParser(parsed(labName)));

  add('up', 'Makes a lab and leaves it running')
    .option('--nodes <n>', 'How many nodes', parsed(numberBetween(1, mostNodes)), 3)
    .option('--pods-per-node <n>', 'How many pods on each', parsed(numberBetween(0, mostPodsPerNode)), 2)
    .addOption(
      new Option('--backend <kind>', 'How nodes reach each other’s pods')
        .choices(labBackends)
        .default('vxlan'),
    )
    .option(
      '--agent-flag <flag>',
      'One more flag for every agent; may be repeated',
      (flag, flags: string[] = []) => [...flags, flag],
    )
    .option('--replace', 'Remove a lab of that name first')
    .option('--prove', 'Check it afterwards and show the map')
    .option('--json', 'Print the lab as JSON')
    .addHelpText(
      'after',
      examples(
        'lab up',
        'lab up --nodes 5 --backend host-gw',
        'lab up --name second --agent-flag=--masquerade=iptables',
      ),
    )
    .action(run(context, async () => (await import('./lab/up.ts')).up));
  add('down', 'Removes a lab: processes, namespaces, files')
    .option('--all', 'Every lab')
    .option('--json', 'Print what was removed as JSON')
    .addHelpText('after', examples('lab down', 'lab down --all'))
    .action(run(context, async () => (await import('./lab/down.ts')).down));
  add('status', 'Nodes, leases, pods and agents, as a map')
    .option('--json', 'Print it as JSON')
    .addHelpText('after', examples('lab status', 'lab status --json | jq .nodes'))
    .action(run(context, async () => (await import('./lab/status.ts')).status));
  add('check', 'Proves that the lab’s network works')
    .option('--json', 'Print the results as JSON')
    .addHelpText('after', examples('lab check', 'lab check --json | jq ".checks[] | select(.ok | not)"'))
    .action(run(context, async () => (await import('./lab/check.ts')).check));
  add('exec', 'Runs a command inside of a pod, a node or "outside"')
    .argument('<where>', 'pod-1a, n1, outside, fabric')
    .argument('<command...>', 'After --, so that its options stay its own')
    .passThroughOptions()
    .addHelpText('after', examples('lab exec pod-1a -- ping -c1 10.244.1.2', 'lab exec n1 -- ip route'))
    .action(run(context, async () => (await import('./lab/exec.ts')).exec));

  const pod = lab.command('pod').description('Adds and removes pods of a running lab').helpCommand(false);
  const nameOption = (): Option =>
    new Option('-n, --name <name>', 'Which lab').default('default').argParser(parsed(labName));
  pod
    .command('add')
    .description('Makes a pod and wires it with the plugin')
    .argument('<pod>', 'Its name')
    .option('--node <node>', 'Where; the node with the fewest pods unless given')
    .addOption(nameOption())
    .option('--json', 'Print the pod as JSON')
    .addHelpText('after', examples('lab pod add web --node n2'))
    .action(run(context, async () => (await import('./lab/pod.ts')).podAdd));
  pod
    .command('rm')
    .description('Unwires a pod with the plugin and removes it')
    .argument('<pod>', 'Its name')
    .addOption(nameOption())
    .option('--json', 'Print what was removed as JSON')
    .addHelpText('after', examples('lab pod rm web'))
    .action(run(context, async () => (await import('./lab/pod.ts')).podRemove));
  return lab;
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  netloom ${line}`).join('\n')}`;
}
