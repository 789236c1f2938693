// An agent in this process, at work on a node of a test cluster, with whatever store its flags name.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningAgent, startAgent } from '../../agent/run-agent.ts';
import { agentSettings } from '../../agent/settings.ts';
import { resolveSettings } from '../../runtime/settings/resolve-settings.ts';
import type { TestNode } from '../agent/cluster.ts';
import { silent } from '../proxy/daemon-node.ts';

export function startAgentOn(
  { directory, subnetFile, name, place }: TestNode,
  flags: Readonly<Record<string, unknown>>,
): Promise<RunningAgent> {
  mkdirSync(join(directory, 'run'), { recursive: true });
  const { settings } = resolveSettings(agentSettings, {
    flags: {
      nodeName: name,
      runDirectory: join(directory, 'run'),
      stateDirectory: join(directory, 'state'),
      ipamDirectory: join(directory, 'ipam'),
      cniConfDirectory: '',
      subnetFile,
      iface: 'eth0',
      ...flags,
    },
    environment: {},
  });
  return startAgent(settings, { log: silent, netns: place.netns });
}
