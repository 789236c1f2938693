// The settings of a command that was parsed: its flags, the environment and the file that `--config` names.
import type { Command } from 'commander';
import { type ResolvedSettings, resolveSettings } from './resolve-settings.ts';
import type { SettingsTable } from './setting.ts';
import { configVariable } from './setting-names.ts';
import { SettingsError, type SettingsProblem } from './settings-error.ts';
import { readSettingsFile, type SettingsFile } from './settings-file.ts';
import { flagsOf } from './settings-flags.ts';

export interface LoadOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** See SettingsSources. */
  readonly otherNames?: readonly string[];
  /** The file to read in place of the one that `--config` names. */
  readonly path?: string | undefined;
  /** Turns a file in somebody else's format into one of ours. Throws SettingsError. */
  readonly convert?: (file: SettingsFile) => SettingsFile;
}

/** Throws one SettingsError for a bad file and bad flags alike. */
export function loadSettings<T extends SettingsTable>(
  command: Command,
  table: T,
  { environment = process.env, otherNames = [], convert = (file) => file, path: instead }: LoadOptions = {},
): ResolvedSettings<T> {
  const path: unknown = instead ?? command.getOptionValue('config') ?? environment[configVariable];
  const problems: SettingsProblem[] = [];
  const gather = <R>(read: () => R): R | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const file: SettingsFile | undefined =
    typeof path === 'string' && path !== '' ? gather(() => convert(readSettingsFile(path))) : undefined;
  const sources = { flags: flagsOf(command, table), environment, otherNames };
  const resolved = gather(() => resolveSettings(table, file === undefined ? sources : { ...sources, file }));
  if (resolved !== undefined && problems.length === 0) return resolved;
  // A file that cannot be read may hold what seems to be missing.
  const unreadable = problems.some(({ kind }) => kind === 'source');
  throw new SettingsError(problems.filter(({ kind }) => !(unreadable && kind === 'missing')));
}
