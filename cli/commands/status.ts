// `netloom status`: asks the agent of this node how it is.
import { Command, Option } from 'commander';
import { z } from 'zod';
import { UnixRequestError, unixRequest } from '../../runtime/unix-request.ts';
import type { CommandContext } from '../context.ts';
import { nodeStatusShape, nodeStatusText } from '../node-status-text.ts';

const optionsShape = z.object({ json: z.boolean().default(false), runDirectory: z.string() });

export function statusCommand(context: CommandContext): Command {
  return new Command('status')
    .description('What this node’s agent knows and does. Exits with 1 when it is not ready or does not run.')
    .addOption(
      new Option('--run-directory <path>', 'Where the agent’s socket is')
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
      const socketPath = `${options.runDirectory}/netloom.sock`;
      const { body } = await unixRequest({ socketPath, path: '/status', signal: context.signal }).catch(
        (error: unknown) => {
          throw explained(error, socketPath);
        },
      );
      const status = nodeStatusShape.parse(body);
      if (options.json) context.terminal.print(JSON.stringify(body));
      else for (const line of nodeStatusText(status)) context.terminal.print(line);
      if (!status.ready) context.fail();
    });
}

function explained(error: unknown, socketPath: string): unknown {
  if (!(error instanceof UnixRequestError) || error.kind !== 'not-running') return error;
  return new Error(`No agent runs on this node: nobody listens on "${socketPath}"`, { cause: error });
}
