// All that is wrong with what a user set, in one error. Commands catch it and exit with 2.

export interface SettingsProblem {
  /** `source`: a file cannot be read; `unknown`: no such setting; `bad`: its value; `missing`: it is required. */
  readonly kind: 'source' | 'unknown' | 'bad' | 'missing';
  /** A flag, an environment variable, or the path of a file. */
  readonly source: string;
  /** The setting's name; for an unknown one, what was written. Missing if the source as a whole is bad. */
  readonly setting?: string;
  /** A whole line for the user: source, setting, the value quoted (unless secret), and what was expected. */
  readonly message: string;
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly SettingsProblem[];

  constructor(problems: readonly SettingsProblem[]) {
    super(`Cannot use these settings:\n${problems.map(({ message }) => `  ${message}`).join('\n')}`);
    this.problems = problems;
  }
}
