// The settings as flags of a command. It parses no values: a flag's text goes to resolve-settings.ts as it is.
import { type Command, Option } from 'commander';
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

/** Adds `--config FILE` and a flag a setting, under their headings, with variable and default in the help. */
export function addOptions(command: Command, table: SettingsTable): Command {
  command.addOption(
    new Option(
      '--config <file>',
      'Settings file, YAML or JSON; flags and environment override it [NETLOOM_CONFIG]',
    ),
  );
  for (const [group, settings] of byGroup(table)) {
    for (const [name, setting] of settings) {
      for (const option of optionsOf(name, setting)) command.addOption(option.helpGroup(`${group}:`));
    }
  }
  return command;
}

function optionsOf(name: string, setting: Setting): readonly Option[] {
  const help = helpText(name, setting);
  switch (typeFacts(setting.type)?.shape) {
    case 'flag':
      // Commander tells the two apart only if both are declared; one line of help is enough. Go's flags are written --name=false.
      return [new Option(`${flagName(name)} [boolean]`, help), new Option(negatedFlagName(name)).hideHelp()];
    case 'list': {
      const option = new Option(`${flagName(name)} <${placeholderOf(setting)}>`, help);
      return [
        option.argParser((text, before) =>
          before === undefined || before === '' ? text : `${before},${text}`,
        ),
      ];
    }
    default:
      return [new Option(`${flagName(name)} <${placeholderOf(setting)}>`, help)];
  }
}

function helpText(name: string, setting: Setting): string {
  const isFlag = typeFacts(setting.type)?.shape === 'flag';
  const value = defaultText(setting);
  const facts = [variableName(name), ...(setting.otherVariables ?? [])];
  if (isFlag) facts.push(`off: ${negatedFlagName(name)}`);
  if (value !== undefined) facts.push(`default: ${isFlag ? (value === 'true' ? 'on' : 'off') : value}`);
  return `${setting.help} [${facts.join(', ')}]`;
}

/** The settings that were given as flags, by name, as text (true or false for those without a value). */
export function flagsOf(command: Command, table: SettingsTable): Readonly<Record<string, unknown>> {
  const given = Object.keys(table).filter((name) => command.getOptionValueSource(name) === 'cli');
  return Object.fromEntries(given.map((name) => [name, command.getOptionValue(name)]));
}
