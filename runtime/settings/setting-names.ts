// The names that one setting has: leaseTtl in a file, --lease-ttl as a flag, NETLOOM_LEASE_TTL in the environment.

import type { Setting, SettingsTable } from './setting.ts';
import { typeFacts } from './type-facts.ts';

export const variablePrefix = 'NETLOOM_';
/** Names the settings file, as `--config` does. */
export const configVariable = 'NETLOOM_CONFIG';

const words = (name: string, separator: string): string =>
  name.replace(/[A-Z]/g, (letter) => separator + letter);

export const flagName = (name: string): string => `--${words(name, '-').toLowerCase()}`;
export const variableName = (name: string): string => variablePrefix + words(name, '_').toUpperCase();
export const negatedFlagName = (name: string): string => `--no-${flagName(name).slice(2)}`;

export const placeholderOf = ({ placeholder, type }: Setting): string =>
  placeholder ?? typeFacts(type)?.placeholder ?? 'value';

/** The default as a user would write it; undefined if there is none to show. */
export function defaultText({ default: value, defaultWords, secret = false }: Setting): string | undefined {
  if (value === undefined || secret) return undefined;
  if (defaultWords !== undefined) return defaultWords;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(',');
  if (value === '') return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The settings under their headings, both in the order of the table. */
export function byGroup(table: SettingsTable): ReadonlyMap<string, readonly (readonly [string, Setting])[]> {
  return Map.groupBy(Object.entries(table), ([, { group }]) => group);
}
