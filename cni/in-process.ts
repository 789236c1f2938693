// The plugin's work without the agent: the node's network comes from subnet.env, everything else is the same code, the same
// state and the same locks.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { readNodeNetwork } from '../agent/wiring/node-network.ts';
import { createWiring } from '../agent/wiring/wiring.ts';
import { isIdentifier } from '../net/names.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { type AgentCall, stateDirectoryOf } from './agent-client.ts';
import { replayDelQueue } from './del-queue.ts';
import { queueDel } from './del-queue-entry.ts';
import { failedOutput, type PluginOutput, runPlugin } from './plugin.ts';
import type { PluginInput } from './request.ts';
import { runCall } from './run-call.ts';
import type { VerbContext } from './verb-context.ts';

/** Milliseconds that an ADD spends on other pods' DELs, which may hold the addresses that it needs. */
const longestReplay = 3000;

/** Never rejects. */
export async function runInProcess(input: PluginInput): Promise<PluginOutput> {
  let wiring: ReturnType<typeof createWiring>;
  try {
    wiring = createWiring({ isOneShot: true });
  } catch (error) {
    return failedOutput(error, input.stdin);
  }
  const context = { wiring, node: readNodeNetwork };
  try {
    if (input.env['CNI_COMMAND'] === 'ADD') await runQueuedDels(input, context);
    return await runCall(input, { context });
  } finally {
    await wiring.close();
  }
}

/** What fails stays for the agent; of its own interface, runCall says it. */
async function runQueuedDels({ stdin }: PluginInput, context: VerbContext): Promise<void> {
  const run = (input: PluginInput) => runPlugin(input, context);
  await replayDelQueue({
    stateDirectory: stateDirectoryOf(stdin),
    run,
    timeLimit: longestReplay,
  }).catch(() => undefined);
}

/** The agent is there, but did not do it: a DEL is queued, anything else must be tried again. */
export function agentFailed(details: string, { env, stdin }: AgentCall): PluginOutput {
  const text = stdin.toString('utf8');
  const error = new CniError(cniCodes.tryAgainLater, 'The agent did not answer', { details });
  if (env['CNI_COMMAND'] !== 'DEL' || !isIdentifier(env['CNI_CONTAINERID'] ?? ''))
    return failedOutput(error, text);
  try {
    queueDel({ env, stdin }, stateDirectoryOf(text));
    return { exitCode: 0, stdout: '' };
  } catch (cause) {
    const why = `${details}; the DEL was not queued: ${errorMessage(cause)}`;
    return failedOutput(new CniError(error.code, error.message, { details: why, cause }), text);
  }
}
