// How a setting is declared, once: file key, environment variable, flag, help and documentation come from it.
import type { z } from 'zod';
import { parseValue } from './parse-value.ts';

export interface Setting<S extends z.ZodType = z.ZodType> {
  /** Takes what a file gives (numbers, lists ...) and the text that flags and variables give: see setting-types.ts. */
  readonly type: S;
  /** As a user would write it: `10s`, not 10000. Without one the setting is required, unless `type` is optional. */
  readonly default?: z.input<S>;
  /** Stands in help for a default that is another on each machine. */
  readonly defaultWords?: string;
  /** One sentence without a full stop. */
  readonly help: string;
  /** The heading under which it is listed. */
  readonly group: string;
  /** What stands for the value in help; the type's own unless given. */
  readonly placeholder?: string;
  /** Environment variables that are read as well, after its own: other programs' names of the same thing. */
  readonly otherVariables?: readonly string[];
  /** Its value is never shown: not in errors, reports or help. */
  readonly secret?: boolean;
}

/** By name, in camelCase, in the order in which help lists them. */
export type SettingsTable = Readonly<Record<string, Setting>>;

export type SettingsOf<T extends SettingsTable> = { readonly [K in keyof T]: z.output<T[K]['type']> };

/** Ties the default to the type. */
export function setting<S extends z.ZodType>(type: S, declaration: Omit<Setting<S>, 'type'>): Setting<S> {
  return { type, ...declaration };
}

const camelCase = /^[a-z][a-z0-9]*([A-Z][a-z0-9]*)*$/;
const reserved = new Set(['config', 'help', 'version', 'json']);

/** Checks names and defaults, which are the programmer's: throws SyntaxError or RangeError. */
export function settingsTable<const T extends SettingsTable>(table: T): T {
  for (const [name, declared] of Object.entries(table)) {
    if (!camelCase.test(name))
      throw new SyntaxError(`Cannot declare setting "${name}": its name must be camelCase`);
    if (reserved.has(name) || /^no[A-Z]/.test(name)) {
      throw new SyntaxError(`Cannot declare setting "${name}": its flag would be taken for another`);
    }
    if (declared.default === undefined) continue;
    const { problems } = parseValue(declared, declared.default);
    if (problems.length > 0) {
      throw new RangeError(`Cannot declare setting "${name}": its default is bad: ${problems.join('; ')}`);
    }
  }
  return Object.freeze(table);
}
