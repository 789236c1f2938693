// docs/settings.md: the agent's settings as a page, from the table that also makes its flags. `npm run docs` writes it.
import { hostname } from 'node:os';
import { agentSettings } from '../agent/settings.ts';
import { settingsMarkdown } from '../runtime/settings/settings-markdown.ts';

const head = `# Settings of \`netloom agent\`

A setting is given by a flag, an environment variable or a file (\`--config FILE\` or \`NETLOOM_CONFIG\`, YAML or JSON, keys as in the first column); the first of these
that has it counts. A wrong one is refused with its place, its name and its value, all at once; the exit code is then 2.

`;

/** The same on every machine: the default of the node's name is said, not this host's. */
export function settingsPage(): string {
  const table = settingsMarkdown(agentSettings);
  return head + table.replace(`| \`${hostname()}\` |`, '| the host’s name |');
}
