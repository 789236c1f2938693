// docs/settings.md: the settings of agent and proxy as a page, from the tables that also make their flags. `npm run docs` writes it.
import { agentSettings } from '../agent/settings.ts';
import { proxySettings } from '../proxy/settings.ts';
import { settingsMarkdown } from '../runtime/settings/settings-markdown.ts';

const head = `# Settings

A setting is given by a flag, an environment variable or a file (\`--config FILE\` or \`NETLOOM_CONFIG\`, YAML or JSON, keys as in the first column); the first of these
that has it counts. A wrong one is refused with its place, its name and its value, all at once; the exit code is then 2. \`netloom node\` takes the settings of both
programs, from one file; where they have one of the same name it is the same one.

`;

const agentHead = `## \`netloom agent\`

`;

const proxyHead = `## \`netloom proxy\`

Names are those of kube-proxy's flags where it has them. \`--config\` (with \`netloom node\`: \`--proxy-config\`) also takes kube-proxy's own file, a KubeProxyConfiguration, as it is: what it
holds that means nothing here is passed over, and each such field is named in the log. kube-proxy's other flags are taken and passed over in the same way.

`;

export function settingsPage(): string {
  return `${head}${agentHead}${settingsMarkdown(agentSettings)}\n${proxyHead}${settingsMarkdown(proxySettings)}`;
}
