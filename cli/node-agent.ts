// The agent as the commands `agent` and `node` run it: with the plugin's work in it, and the file that makes a container runtime call
// the plugin.
import { join } from 'node:path';
import { type RunAgentOptions, runAgent } from '../agent/run-agent.ts';
import type { AgentSettings } from '../agent/settings.ts';
import { conflistName, conflistText } from '../cni/conflist.ts';
import { agentCniHandler } from './agent-cni-handler.ts';

export function runNodeAgent(
  settings: AgentSettings,
  options: Pick<RunAgentOptions, 'log' | 'beside'> & { readonly signal: AbortSignal },
): Promise<void> {
  const { log } = options;
  return runAgent(settings, {
    ...options,
    cni: (agent, firewall) => agentCniHandler(agent, { settings, log: log.component('cni'), firewall }),
    files: cniFiles(settings),
  });
}

/** None when the directory is "". */
function cniFiles(settings: AgentSettings): ReadonlyMap<string, string> {
  if (settings.cniConfDirectory === '') return new Map();
  return new Map([[join(settings.cniConfDirectory, conflistName), conflistText(settings)]]);
}
