// Refusals of a network configuration, each with the place of what is wrong and its value in quotation. No schema.
import type { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';

/** Longest quotation of a foreign value in a message. */
const longestQuote = 100;

/** Short, on one line, whatever it is. */
export function quote(value: unknown): string {
  const words = JSON.stringify(value) ?? 'absent';
  return words.length > longestQuote ? `${words.slice(0, longestQuote)}...` : words;
}

/** `path` is that of the key, such as "ipam.ranges.0.0.subnet"; `wish` says what it should be, or why it may not be so. */
export function invalidValue(path: string, value: unknown, wish: string): CniError {
  return refusal(cniCodes.invalidConfig, path, value, wish);
}

/** A value that has a meaning for other plugins, and none here. */
export function unsupportedValue(path: string, value: unknown, why: string): CniError {
  return refusal(cniCodes.unsupportedField, path, value, why);
}

function refusal(
  code: typeof cniCodes.invalidConfig | typeof cniCodes.unsupportedField,
  path: string,
  value: unknown,
  why: string,
): CniError {
  return new CniError(
    code,
    `Cannot use the network configuration: ${quote(path)} is ${quote(value)}: ${why}`,
  );
}

/** The value as the schema reads it. Throws CniError (invalid configuration) for the first thing that is wrong. */
export function parsePart<T>(shape: z.ZodType<T>, value: unknown, path = ''): T {
  const parsed = shape.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalidValue(joinPath(path, ...(issue?.path ?? [])), issue?.input, wishOf(issue));
}

/** "a", 0, "b" becomes "a.0.b"; empty parts are left out. */
export function joinPath(...parts: readonly PropertyKey[]): string {
  return parts
    .map(String)
    .filter((part) => part !== '')
    .join('.');
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** What the schema wants, in words. */
export function wishOf(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'invalid_type':
      return `want ${kinds[issue.expected] ?? issue.expected}`;
    case 'too_big':
      return `want at most ${issue.maximum}`;
    case 'too_small':
      return `want at least ${issue.minimum}`;
    case 'invalid_value':
      return `want one of ${issue.values.map(quote).join(', ')}`;
    default:
      return issue?.message ?? 'invalid';
  }
}
