// Reads a settings file: one mapping, in YAML or in JSON, which is YAML too. It does not know the settings.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { errorMessage } from '../error-text.ts';
import { SettingsError } from './settings-error.ts';

export interface SettingsFile {
  readonly path: string;
  /** By the names that the file uses, unchecked. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What the file itself calls a setting, where that is another name than ours. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** An empty file sets nothing. Throws SettingsError if the file cannot be read or is not one mapping. */
export function readSettingsFile(path: string): SettingsFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fileError(path, [`cannot be read: ${errorMessage(error)}`]);
  }
  return { path, values: parseSettingsText(path, text) };
}

/** Loaded when there is a file: most daemons have none, and the parser is as large as they are. */
function loadYaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml');
}

function parseSettingsText(path: string, text: string): Readonly<Record<string, unknown>> {
  const document = loadYaml().parseDocument(text);
  const faults = [...document.errors, ...document.warnings];
  // Only the first line of a fault: the others show the source, and with it perhaps a secret.
  if (faults.length > 0)
    throw fileError(
      path,
      faults.map(({ message }) => message.split('\n')[0]?.replace(/:$/, '') ?? ''),
    );
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    throw fileError(path, [errorMessage(error)]);
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw fileError(path, ['expected a mapping of settings, such as "logLevel: debug"']);
  }
  return { ...content };
}

function fileError(path: string, faults: readonly string[]): SettingsError {
  return new SettingsError(
    faults.map((fault) => ({ kind: 'source', source: path, message: `${path}: ${fault}` })),
  );
}
