// `netloom lab exec`: a command inside of one of the lab's namespaces, on the caller's terminal, with its exit code. On a node
// the environment names the node's own directories, so that `netloom status` there means its agent.
import { Netns } from '../../../kernel/netns.ts';
import { runAttached } from '../../../kernel/process.ts';
import type { CommandContext } from '../../context.ts';
import { nodeEnvironment } from '../../lab/daemons.ts';
import { netnsPath } from '../../lab/lab-plan.ts';
import { type LabState, requireLab } from '../../lab/lab-state.ts';
import { UsageError } from '../../usage-error.ts';
import { type Given, usualOptions } from '../lab-action.ts';

export async function exec(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  // Commander leaves the "--" in place: what follows a command that takes arguments as they are is not looked at.
  const [where = '', ...words] = given.args;
  const [program, ...rest] = words[0] === '--' ? words.slice(1) : words;
  if (program === undefined)
    throw new UsageError('Cannot run nothing: netloom lab exec POD|NODE|outside -- COMMAND');
  if (program.startsWith('--') && words[0] !== '--')
    throw new UsageError(`Options go before "${where}": netloom lab exec ${program} … ${where} -- COMMAND`);
  const state = requireLab(options.name, { complete: false });
  using netns = Netns.open(netnsPath(memberNetns(state, where)));
  const node = state.nodes.find(({ name }) => name === where);
  const own = node === undefined ? {} : nodeEnvironment(state, node);
  const env = { ...definedOf(context.env), ...own };
  context.releaseSignals();
  context.fail(await runAttached([program, ...rest], { netns, env }));
}

function definedOf(env: CommandContext['env']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function memberNetns(state: LabState, name: string): string {
  const members = [
    ...state.pods,
    ...state.nodes,
    { name: 'outside', netns: state.outside.netns },
    { name: 'fabric', netns: state.fabric.netns },
  ];
  const member = members.find((candidate) => candidate.name === name);
  if (member !== undefined) return member.netns;
  throw new UsageError(
    `There is no "${name}" in lab "${state.name}": it has ${members.map((one) => one.name).join(', ')}`,
  );
}
