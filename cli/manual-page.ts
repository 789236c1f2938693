// Manual pages (roff, man(7)) from what the commands and the settings say of themselves. `--help` tells the same.
import type { Command, Option } from 'commander';
import type { SettingsTable } from '../runtime/settings/setting.ts';
import {
  byGroup,
  defaultText,
  flagName,
  placeholderOf,
  variableName,
} from '../runtime/settings/setting-names.ts';

export interface ManualOptions {
  readonly version: string;
  /** Seconds since 1970: the pages of one version are the same whenever they are made. */
  readonly date: number;
}

/** Of the program itself, and one of each of its commands, by file name. */
export function manualPages(program: Command, options: ManualOptions): ReadonlyMap<string, string> {
  const pages = new Map([['netloom.8', page(program, options)]]);
  for (const command of program.commands) pages.set(`${pageName(command)}.8`, page(command, options));
  return pages;
}

/** netloom.yaml(5). */
export function settingsManual(table: SettingsTable, options: ManualOptions): string {
  const sections = [...byGroup(table)].map(([group, settings]) => [
    section(group),
    ...settings.flatMap(([name, setting]) => {
      const value = defaultText(setting);
      const facts = [`Flag ${flagName(name)}, variable ${variableName(name)}.`];
      if (value !== undefined) facts.push(`Default: ${value}.`);
      return [
        '.TP',
        `\\fB${roff(name)}\\fR: \\fI${roff(placeholderOf(setting))}\\fR`,
        roff(`${setting.help}. ${facts.join(' ')}`),
      ];
    }),
  ]);
  return text([
    ...title('NETLOOM.YAML', { section: 5, ...options }),
    section('Name'),
    'netloom.yaml \\- settings of Netloom\\(aqs agent and proxy',
    section('Description'),
    roff(
      'Settings are given by a flag, an environment variable or a file; the first of these that has one counts. The file is one mapping in YAML or JSON. The units read /etc/netloom/netloom.yaml; other files are named by --config or NETLOOM_CONFIG. A wrong setting is refused with its place, its name and its value, all at once.',
    ),
    ...sections.flat(),
    ...seeAlso(['netloom(8)', 'netloom-node(8)']),
  ]);
}

function page(command: Command, options: ManualOptions): string {
  const name = pageName(command);
  const { description, after } = saidBy(command);
  const [first = '', ...paragraphs] = after;
  return text([
    ...title(name.toUpperCase(), { section: 8, ...options }),
    section('Name'),
    `${roff(name)} \\- ${roff(command.summary() || firstSentence(description))}`,
    section('Synopsis'),
    ...synopsis(command),
    section('Description'),
    roff(description),
    ...optionsOf(command),
    ...command.commands.flatMap((child) => childOf(child)),
    ...(first === '' ? [] : block(first)),
    ...paragraphs.flatMap(block),
    ...seeAlso(
      command.parent === null
        ? command.commands.map((child) => `${pageName(child)}(8)`)
        : ['netloom(8)', 'netloom.yaml(5)'],
    ),
  ]);
}

/** A command below the page's own; those of the program have pages themselves. */
function childOf(child: Command): readonly string[] {
  if (child.parent?.parent === null)
    return ['.TP', `\\fBnetloom ${roff(child.name())}\\fR`, roff(child.summary())];
  const { description, after } = saidBy(child);
  return [
    section(`netloom ${wordsOf(child).join(' ')} ${usageOf(child)}`.trimEnd()),
    roff(description),
    ...optionsOf(child),
    ...after.flatMap(block),
    ...child.commands.flatMap(childOf),
  ];
}

/** The paragraphs of the help that follow its lists: examples, exit codes. */
function saidBy(command: Command): { readonly description: string; readonly after: readonly string[] } {
  let help = '';
  command.configureOutput({ writeOut: (more) => (help += more) }).outputHelp();
  const after = help.slice(command.helpInformation().length).trim();
  return { description: command.description(), after: after === '' ? [] : after.split('\n\n') };
}

function optionsOf(command: Command): readonly string[] {
  const shown = command.options.filter(({ hidden }) => !hidden);
  const groups = Map.groupBy(shown, (option) => option.helpGroupHeading ?? 'Options:');
  return [...groups].flatMap(([heading, options]) => [
    `.SS ${roff(heading.replace(/:$/, ''))}`,
    ...options.flatMap((option) => ['.TP', `\\fB${roff(option.flags)}\\fR`, roff(optionText(option))]),
  ]);
}

/** As commander's help has it. */
function optionText(option: Option): string {
  const choices = option.argChoices === undefined ? '' : ` (choices: ${option.argChoices.join(', ')})`;
  const value = option.defaultValue === undefined ? '' : ` (default: ${JSON.stringify(option.defaultValue)})`;
  return `${option.description}${choices}${value}`;
}

function synopsis(command: Command): readonly string[] {
  const words = ['netloom', ...wordsOf(command)].join(' ');
  return [`\\fB${roff(words)}\\fR ${roff(usageOf(command))}`];
}

const usageOf = (command: Command): string => command.usage();

function wordsOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...wordsOf(command.parent), command.name()];
}

const pageName = (command: Command): string => ['netloom', ...wordsOf(command)].join('-');

/** "Examples:" and what is under it, as it stands. */
function block(paragraph: string): readonly string[] {
  const [head = '', ...lines] = paragraph.split('\n');
  if (lines.length === 0) return ['.PP', roff(head)];
  return [section(head.replace(/:$/, '')), '.nf', ...lines.map((line) => roff(line)), '.fi'];
}

function title(
  name: string,
  { section: number, version, date }: ManualOptions & { readonly section: 5 | 8 },
) {
  const day = new Date(date * 1000).toISOString().slice(0, 10);
  return [`.TH "${roff(name)}" "${number}" "${day}" "Netloom ${roff(version)}" "Netloom"`];
}

const section = (name: string): string => `.SH "${roff(name)}"`;

const seeAlso = (pages: readonly string[]): readonly string[] => [
  section('See also'),
  pages.map(roff).join(', '),
];

const firstSentence = (words: string): string => words.split(/[.:\n]/)[0] ?? '';

const text = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/** Plain text for roff: no request, no escape, no typographic dash. */
function roff(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/gm, '\\&$1');
}
