// The settings as a file to begin from: every one with its help and its default, all commented out, so that the file sets nothing.
import { createRequire } from 'node:module';
import type { Setting, SettingsTable } from './setting.ts';
import { byGroup, flagName, placeholderOf, variableName } from './setting-names.ts';
import { typeFacts } from './type-facts.ts';

/** A line `#name: default` a setting, `#name: <kind>` for one without a default. `head`: lines above, without "#". */
export function settingsYaml(table: SettingsTable, head: readonly string[]): string {
  const sections = [...byGroup(table)].map(([group, settings]) =>
    [`## ${group}`, ...settings.map(([name, setting]) => entry(name, setting))].join('\n\n'),
  );
  return `${head.map((line) => `# ${line}`.trimEnd()).join('\n')}\n\n${sections.join('\n\n\n')}\n`;
}

function entry(name: string, setting: Setting): string {
  const help = wrap(`${setting.help} [${flagName(name)}, ${variableName(name)}]`, 118);
  return [...help.map((line) => `# ${line}`), `#${name}: ${valueText(setting)}`].join('\n');
}

function valueText(setting: Setting): string {
  const { default: value, defaultWords, type, secret = false } = setting;
  if (defaultWords !== undefined) return `<${defaultWords}>`;
  if (value === undefined || secret) return `<${placeholderOf(setting)}>`;
  if (value === '' && typeFacts(type)?.shape === 'list') return '[]';
  const { stringify }: typeof import('yaml') = createRequire(import.meta.url)('yaml');
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
}

/** A word that is longer than a line has one of its own. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
