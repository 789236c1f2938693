// From what flags, environment and file say to one frozen object, and the word on where each value came from. Pure.
import { nearestName } from './nearest-name.ts';
import { parseValue } from './parse-value.ts';
import type { Setting, SettingsOf, SettingsTable } from './setting.ts';
import { configVariable, flagName, variableName, variablePrefix } from './setting-names.ts';
import { SettingsError, type SettingsProblem } from './settings-error.ts';
import type { SettingsFile } from './settings-file.ts';

export interface SettingsSources {
  /** By setting name, only those that were given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly file?: SettingsFile;
  /** Settings of other commands that share the file and the environment: passed over, not unknown. */
  readonly otherNames?: readonly string[];
}

/** One line of `status --json`: the value as it was written; null if there is none. */
export interface SettingReport {
  readonly name: string;
  readonly value: unknown;
  /** `flag --mtu`, `environment NETLOOM_MTU`, `file /etc/netloom.yaml` or `default`. */
  readonly from: string;
}

export interface ResolvedSettings<T extends SettingsTable> {
  readonly settings: SettingsOf<T>;
  readonly report: readonly SettingReport[];
  /** Variables that look misspelt. No error: Kubernetes itself sets NETLOOM_... for a Service named "netloom". */
  readonly warnings: readonly string[];
}

interface Candidate {
  readonly source: string;
  /** How a problem line begins. */
  readonly where: string;
  readonly from: string;
  readonly input: unknown;
}

/**
 * Flag before environment before file before default; an empty variable counts as not set. Every value is checked, also
 * one that another overrides. Throws SettingsError with all problems.
 */
export function resolveSettings<T extends SettingsTable>(
  table: T,
  sources: SettingsSources,
): ResolvedSettings<T> {
  const problems: SettingsProblem[] = [...unknownNames(table, sources)];
  const values: Record<string, unknown> = {};
  const report: SettingReport[] = [];
  for (const [name, setting] of Object.entries(table)) {
    const parsed = candidates(name, { setting, sources }).map((candidate) => {
      const { value, problems: found } = parseValue(setting, candidate.input);
      problems.push(...found.map((what) => problemWith(name, { setting, candidate, what })));
      return { candidate, value };
    });
    const [first] = parsed;
    if (first !== undefined) {
      values[name] = first.value;
      report.push({ name, value: shown(setting, first.candidate.input), from: first.candidate.from });
      continue;
    }
    const { value, problems: found } = parseValue(setting, setting.default);
    if (found.length > 0) problems.push(missing(name, { found, file: sources.file }));
    values[name] = value;
    report.push({ name, value: shown(setting, setting.default), from: 'default' });
  }
  if (problems.length > 0) throw new SettingsError(problems);
  // Each value came out of its own setting's type, name by name; the compiler cannot follow that through the loop.
  const settings = Object.freeze(values) as SettingsOf<T>;
  return { settings, report, warnings: misspeltVariables(table, sources) };
}

/** What was said about a setting, the strongest first. */
function candidates(
  name: string,
  { setting, sources }: { readonly setting: Setting; readonly sources: SettingsSources },
): readonly Candidate[] {
  const { flags = {}, environment = {}, file } = sources;
  const found: Candidate[] = [];
  if (Object.hasOwn(flags, name)) {
    const flag = flagName(name);
    found.push({ source: flag, where: flag, from: `flag ${flag}`, input: flags[name] });
  }
  for (const variable of [variableName(name), ...(setting.otherVariables ?? [])]) {
    const text = environment[variable];
    if (text === undefined || text === '') continue;
    found.push({ source: variable, where: variable, from: `environment ${variable}`, input: text });
  }
  if (file !== undefined && Object.hasOwn(file.values, name)) {
    const where = `${file.path}: ${file.fields?.[name] ?? name}`;
    found.push({ source: file.path, where, from: `file ${file.path}`, input: file.values[name] });
  }
  return found;
}

function problemWith(
  name: string,
  {
    setting,
    candidate,
    what,
  }: { readonly setting: Setting; readonly candidate: Candidate; readonly what: string },
): SettingsProblem {
  const { source, where, input } = candidate;
  const value = setting.secret === true ? redacted : quote(input);
  return { kind: 'bad', source, setting: name, message: `${where} ${value}: ${what}` };
}

function missing(
  name: string,
  { found, file }: { readonly found: readonly string[]; readonly file: SettingsFile | undefined },
): SettingsProblem {
  const ways = [flagName(name), variableName(name), `${name} in ${file?.path ?? 'the settings file'}`];
  return {
    kind: 'missing',
    source: flagName(name),
    setting: name,
    message: `${ways.join(', or ')}: required: ${found.join('; ')}`,
  };
}

function unknownNames(
  table: SettingsTable,
  { flags = {}, file, otherNames = [] }: SettingsSources,
): SettingsProblem[] {
  const known = [...Object.keys(table), ...otherNames];
  const isKnown = new Set(known);
  const suggest = (name: string, write: (known: string) => string): string => {
    const near = nearestName(name, known);
    return `no such setting${near === undefined ? '' : `; did you mean ${write(near)}?`}`;
  };
  const inFlags = Object.keys(flags)
    .filter((name) => !Object.hasOwn(table, name))
    .map((name) => ({
      kind: 'unknown' as const,
      source: flagName(name),
      setting: name,
      message: `${flagName(name)}: ${suggest(name, flagName)}`,
    }));
  if (file === undefined) return inFlags;
  const { path, values } = file;
  const inFile = Object.keys(values)
    .filter((name) => !isKnown.has(name))
    .map((name) => ({
      kind: 'unknown' as const,
      source: path,
      setting: name,
      message: `${path}: ${name}: ${suggest(name, (near) => near)}`,
    }));
  return [...inFlags, ...inFile];
}

function misspeltVariables(
  table: SettingsTable,
  { environment = {}, otherNames = [] }: SettingsSources,
): readonly string[] {
  const known = new Set([...Object.keys(table), ...otherNames].map(variableName)).add(configVariable);
  return Object.keys(environment).flatMap((variable) => {
    if (!variable.startsWith(variablePrefix) || known.has(variable)) return [];
    const bare = variable.slice(variablePrefix.length);
    const near = nearestName(
      bare,
      [...known].map((name) => name.slice(variablePrefix.length)),
    );
    return near === undefined ? [] : [`${variable} is no setting; did you mean ${variablePrefix}${near}?`];
  });
}

const redacted = '(redacted)';
const shown = ({ secret = false }: Setting, input: unknown): unknown =>
  input === undefined ? null : secret ? redacted : input;

function quote(input: unknown): string {
  const text = JSON.stringify(input) ?? String(input);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
