// `netloom status`: asks the agent and the proxy of this node how they are.
import { Command, Option } from 'commander';
import { z } from 'zod';
import { UnixRequestError, unixRequest } from '../../runtime/unix-request.ts';
import type { CommandContext } from '../context.ts';
import { nodeStatusShape, nodeStatusText } from '../node-status-text.ts';
import { proxyStatusShape, proxyStatusText } from '../proxy-status-text.ts';

const optionsShape = z.object({ json: z.boolean().default(false), runDirectory: z.string() });

export function statusCommand(context: CommandContext): Command {
  return new Command('status')
    .description(
      'What this node’s agent and proxy know and do. Exits with 1 when one is not ready, or none runs.',
    )
    .addOption(
      new Option('--run-directory <path>', 'Where their sockets are')
        .default('/run/netloom')
        .env('NETLOOM_RUN_DIRECTORY'),
    )
    .option('--json', 'Print all of it as JSON')
    .addHelpText(
      'after',
      `
Examples:
  netloom status
  netloom status --json | jq .peers
  netloom status --run-directory /run/netloom-lab/default/nodes/n1/run`,
    )
    .action(async (given: unknown) => {
      const options = optionsShape.parse(given);
      const { signal } = context;
      const ask = (name: string): Promise<unknown> => statusOf(`${options.runDirectory}/${name}`, signal);
      const [agent, proxy] = await Promise.all([ask('netloom.sock'), ask('proxy.sock')]);
      if (agent === undefined && proxy === undefined)
        throw new Error(
          `Neither agent nor proxy runs on this node: nobody listens on "${options.runDirectory}/netloom.sock" or "proxy.sock" beside it`,
        );
      const node = agent === undefined ? undefined : nodeStatusShape.parse(agent);
      const services = proxy === undefined ? undefined : proxyStatusShape.parse(proxy);
      if (options.json) {
        context.terminal.print(
          JSON.stringify({ ...node, ...(services === undefined ? {} : { proxy: services }) }),
        );
      } else {
        const lines = [
          ...(node === undefined ? [] : nodeStatusText(node)),
          ...(services === undefined ? [] : proxyStatusText(services)),
        ];
        for (const line of lines) context.terminal.print(line);
      }
      if (node?.ready === false || services?.ready === false) context.fail();
    });
}

/** Undefined when nobody listens there. */
async function statusOf(socketPath: string, signal: AbortSignal): Promise<unknown> {
  try {
    return (await unixRequest({ socketPath, path: '/status', signal })).body;
  } catch (error) {
    if (error instanceof UnixRequestError && error.kind === 'not-running') return undefined;
    throw error;
  }
}
