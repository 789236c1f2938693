// One value against the type of one setting, with the problems as a user should read them.
import type { z } from 'zod';
import { typeFacts } from './type-facts.ts';

export interface ParsedValue {
  /** Meaningless if there are problems. */
  readonly value: unknown;
  readonly problems: readonly string[];
}

/** For a secret the problem says only what was expected: a validator's own words may repeat the value. */
export function parseValue(
  { type, secret = false }: { readonly type: z.ZodType; readonly secret?: boolean },
  input: unknown,
): ParsedValue {
  const result = type.safeParse(input);
  if (result.success) return { value: result.data, problems: [] };
  if (secret) {
    const facts = typeFacts(type);
    return {
      value: undefined,
      problems: [facts === undefined ? 'not accepted' : `expected ${facts.expected}`],
    };
  }
  const problems = result.error.issues.map(({ path, message }) => {
    const at = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
    return at === '' ? message : `${at.replace(/^\./, '')}: ${message}`;
  });
  return { value: undefined, problems };
}
