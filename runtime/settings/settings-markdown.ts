// The settings as a page of documentation: a Markdown table a group.

import type { Setting, SettingsTable } from './setting.ts';
import {
  byGroup,
  defaultText,
  flagName,
  negatedFlagName,
  placeholderOf,
  variableName,
} from './setting-names.ts';
import { typeFacts } from './type-facts.ts';

/** A third-level heading and a table a group. The file's key is the first column. */
export function settingsMarkdown(table: SettingsTable): string {
  const sections = [...byGroup(table)].map(([group, settings]) =>
    [
      `### ${group}`,
      '',
      '| setting | flag | environment | default | what it does |',
      '|---|---|---|---|---|',
      ...settings.map(([name, setting]) => row(name, setting)),
    ].join('\n'),
  );
  return `${sections.join('\n\n')}\n`;
}

function row(name: string, setting: Setting): string {
  const isFlag = typeFacts(setting.type)?.shape === 'flag';
  const flag = isFlag
    ? `${code(flagName(name))}, ${code(negatedFlagName(name))}`
    : code(`${flagName(name)} <${placeholderOf(setting)}>`);
  const value = defaultText(setting);
  const cells = [
    code(name),
    flag,
    [variableName(name), ...(setting.otherVariables ?? [])].map(code).join(', '),
    value === undefined ? '' : setting.defaultWords === undefined ? code(value) : value,
    setting.help,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

const code = (text: string): string => `\`${text}\``;
