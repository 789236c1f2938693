// `netloom lab`: the command line of the lab. What the words do is in cli/lab/.

import { Command, Option } from 'commander';
import { proxyModes } from '../../proxy/proxy-mode.ts';
import type { CommandContext } from '../context.ts';
import { labFamilyChoices } from '../lab/lab-networks.ts';
import { labBackends, labName, mostNodes, mostPodsPerNode } from '../lab/lab-plan.ts';
import { ipFamilies, ipFamilyPolicies } from '../lab/services/service-manifest.ts';
import { collected, collectedChoices, keyValue, numberBetween, parsed } from '../option-parsers.ts';
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
  const nameOption = (usual = 'default'): Option =>
    new Option('-n, --name <name>', 'Which lab').default(usual).argParser(parsed(labName));
  const add = (name: string, summary: string, usual?: string): Command =>
    lab.command(name).description(summary).addOption(nameOption(usual));

  add('up', 'Makes a lab and leaves it running')
    .option('--nodes <n>', 'How many nodes', parsed(numberBetween(1, mostNodes)), 3)
    .option('--pods-per-node <n>', 'How many pods on each', parsed(numberBetween(0, mostPodsPerNode)), 2)
    .addOption(
      new Option('--backend <kind>', 'How nodes reach each other’s pods')
        .choices(labBackends)
        .default('vxlan'),
    )
    .addOption(
      new Option('--families <families>', 'What pods, nodes and services have addresses of')
        .choices(labFamilyChoices)
        .default('v4'),
    )
    .addOption(
      new Option('--proxy-mode <mode>', 'What carries the rules of services')
        .choices(proxyModes)
        .default('nftables'),
    )
    .addOption(agentFlagOption())
    .addOption(patienceOption())
    .option('--replace', 'Remove a lab of that name first')
    .option('--prove', 'Check it afterwards and show the map')
    .option('--json', 'Print the lab as JSON')
    .addHelpText(
      'after',
      examples(
        'lab up',
        'lab up --nodes 5 --backend host-gw',
        'lab up --families dual --prove',
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
  add(
    'matrix',
    'Proves every backend, family and proxy mode that this machine can do, a small lab each',
    'matrix',
  )
    .option(
      '--backend <kind>',
      `Only with ${labBackends.join(', ')}; may be repeated`,
      collectedChoices(labBackends),
    )
    .option(
      '--families <families>',
      `Only with ${labFamilyChoices.join(', ')}; may be repeated`,
      collectedChoices(labFamilyChoices),
    )
    .option(
      '--proxy-mode <mode>',
      `Only with ${proxyModes.join(', ')}; may be repeated`,
      collectedChoices(proxyModes),
    )
    .option('--nodes <n>', 'How many nodes a lab has', parsed(numberBetween(1, mostNodes)), 2)
    .option('--pods-per-node <n>', 'How many pods on each', parsed(numberBetween(1, mostPodsPerNode)), 1)
    .addOption(agentFlagOption())
    .addOption(patienceOption())
    .option('--replace', 'Remove a lab of that name first')
    .option('--json', 'Print the results as JSON')
    .addHelpText(
      'after',
      examples(
        'lab matrix',
        'lab matrix --families dual --proxy-mode nftables',
        'lab matrix --json | jq ".matrix[] | select(.state == \\"failed\\")"',
      ),
    )
    .action(run(context, async () => (await import('./lab/matrix.ts')).matrix));
  add('exec', 'Runs a command inside of a pod, a node or "outside"')
    .argument('<where>', 'pod-1a, n1, outside, fabric')
    .argument('<command...>', 'After --, so that its options stay its own')
    .passThroughOptions()
    .addHelpText('after', examples('lab exec pod-1a -- ping -c1 10.244.1.2', 'lab exec n1 -- ip route'))
    .action(run(context, async () => (await import('./lab/exec.ts')).exec));

  const pod = lab.command('pod').description('Adds and removes pods of a running lab').helpCommand(false);
  pod
    .command('add')
    .description('Makes a pod and wires it with the plugin')
    .argument('<pod>', 'Its name')
    .option('--node <node>', 'Where; the node with the fewest pods unless given')
    .option(
      '--label <name=value>',
      'What services select it by, beside app=echo and pod=NAME; may be repeated',
      keyValue,
    )
    .addOption(nameOption())
    .option('--json', 'Print the pod as JSON')
    .addHelpText('after', examples('lab pod add web --node n2', 'lab pod add web --label app=web'))
    .action(run(context, async () => (await import('./lab/pod.ts')).podAdd));
  pod
    .command('rm')
    .description('Unwires a pod with the plugin and removes it')
    .argument('<pod>', 'Its name')
    .addOption(nameOption())
    .option('--json', 'Print what was removed as JSON')
    .addHelpText('after', examples('lab pod rm web'))
    .action(run(context, async () => (await import('./lab/pod.ts')).podRemove));
  pod
    .command('label')
    .description('Changes what services select a pod by')
    .argument('<pod>', 'Its name')
    .argument('<label...>', 'name=value sets, name- takes away')
    .addOption(nameOption())
    .option('--json', 'Print the pod as JSON')
    .addHelpText('after', examples('lab pod label pod-1a app=web', 'lab pod label pod-1a app-'))
    .action(run(context, async () => (await import('./lab/pod.ts')).podLabel));
  addServiceCommands(lab, { context, nameOption });
  return lab;
}

function agentFlagOption(): Option {
  return new Option(
    '--agent-flag <flag>',
    'One more flag of "netloom node" for every node; may be repeated',
  ).argParser(collected);
}

function patienceOption(): Option {
  return new Option(
    '--patience <n>',
    'Wait so many times longer than usual, in checks too: for emulated and busy machines',
  )
    .default(1)
    .argParser(parsed(numberBetween(1, 100)));
}

function addServiceCommands(
  lab: Command,
  { context, nameOption }: { readonly context: CommandContext; readonly nameOption: () => Option },
): void {
  const service = lab
    .command('service')
    .description(
      'Adds and removes services of a running lab; its pods with the right labels are their endpoints',
    )
    .helpCommand(false);
  const policies = ['Cluster', 'Local'];
  const namespace = (): Option => new Option('--namespace <namespace>', 'Its namespace').default('default');
  service
    .command('add')
    .description('Makes a service of the lab’s pods')
    .argument('<service>', 'Its name')
    .requiredOption(
      '--port <port[:target]>',
      'Port, and the pods’ if it is another than 8080; may be repeated',
      collected,
    )
    .option(
      '--selector <name=value>',
      'Which pods; app=echo, all of them, unless given; may be repeated',
      keyValue,
    )
    .addOption(
      new Option('--type <type>', 'Who reaches it')
        .choices(['ClusterIP', 'NodePort', 'LoadBalancer'])
        .default('ClusterIP'),
    )
    .addOption(new Option('--protocol <protocol>', 'Of all its ports').choices(['tcp', 'udp']).default('tcp'))
    .option(
      '--affinity <seconds>',
      'A client stays with its endpoint for so long',
      parsed(numberBetween(1, 86_400)),
    )
    .addOption(
      new Option('--external-policy <policy>', 'For traffic from outside')
        .choices(policies)
        .default('Cluster'),
    )
    .addOption(
      new Option('--internal-policy <policy>', 'For traffic of pods and nodes')
        .choices(policies)
        .default('Cluster'),
    )
    .option('--source-range <network>', 'Who may use the load balancer; may be repeated', collected)
    .addOption(
      new Option('--ip-family-policy <policy>', 'One family or both; one unless given').choices(
        ipFamilyPolicies,
      ),
    )
    .option(
      '--ip-family <family>',
      `Its families, ${ipFamilies.join(' or ')}, the main one first; may be repeated`,
      collectedChoices(ipFamilies),
    )
    .addOption(namespace())
    .addOption(nameOption())
    .option('--json', 'Print the service as JSON')
    .addHelpText(
      'after',
      examples(
        'lab service add web --port 80',
        'lab service add web --port 80 --type NodePort --external-policy Local',
        'lab service add web --port 80 --ip-family-policy PreferDualStack',
      ),
    )
    .action(run(context, async () => (await import('./lab/service.ts')).serviceAdd));
  service
    .command('apply')
    .description('Takes Kubernetes manifests of services; what they lack of addresses is filled in')
    .argument('[file]', 'YAML or JSON; - for standard input', '-')
    .addOption(nameOption())
    .option('--json', 'Print the services as JSON')
    .addHelpText('after', examples('lab service apply web.yaml'))
    .action(run(context, async () => (await import('./lab/service.ts')).serviceApply));
  service
    .command('rm')
    .description('Removes a service')
    .argument('<service>', 'Its name')
    .addOption(namespace())
    .addOption(nameOption())
    .option('--json', 'Print what was removed as JSON')
    .addHelpText('after', examples('lab service rm web'))
    .action(run(context, async () => (await import('./lab/service.ts')).serviceRemove));
  service
    .command('list')
    .description('The services of the lab with their addresses')
    .addOption(nameOption())
    .option('--json', 'Print them as JSON')
    .addHelpText('after', examples('lab service list'))
    .action(run(context, async () => (await import('./lab/service.ts')).serviceList));
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  netloom ${line}`).join('\n')}`;
}
