// /etc/netloom/netloom.yaml as it is installed: all settings of agent and proxy, commented out. One file serves both.
import { agentSettings } from '../agent/settings.ts';
import { proxySettings } from '../proxy/settings.ts';
import { settingsYaml } from '../runtime/settings/settings-yaml.ts';

/** For the manual too: what is in the file, agent before proxy, those of both once. */
export const nodeSettings = { ...agentSettings, ...proxySettings };

export function settingsFileText(): string {
  return settingsYaml(nodeSettings, [
    'Settings of Netloom on this node: agent, proxy, or both in one process (netloom node).',
    'Each line shows a default; take the "#" away from its front to set it. Flags and environment variables go first.',
    'Manual: netloom.yaml(5). After a change: systemctl restart netloom',
  ]);
}
