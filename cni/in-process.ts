// The plugin's work without the agent: the node's network comes from subnet.env, everything else is the same code, the same
// state and the same locks.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { readNodeNetwork } from '../agent/wiring/node-network.ts';
import { createWiring } from '../agent/wiring/wiring.ts';
import { failedOutput, type PluginOutput, runPlugin } from './plugin.ts';
import type { PluginInput } from './request.ts';

/** Never rejects. */
export async function runInProcess(input: PluginInput): Promise<PluginOutput> {
  let wiring: ReturnType<typeof createWiring>;
  try {
    wiring = createWiring();
  } catch (error) {
    return failedOutput(error, input.stdin);
  }
  try {
    return await runPlugin(input, { wiring, node: readNodeNetwork });
  } finally {
    wiring.close();
  }
}

/** The agent is there, but did not do it. */
export function agentFailed(details: string, stdin: string): PluginOutput {
  return failedOutput(new CniError(cniCodes.tryAgainLater, 'The agent did not answer', { details }), stdin);
}
