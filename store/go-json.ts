// JSON as Go's encoding/json writes and reads it: flannel's programs share these values with us. Not a schema (zod is).
import { z } from 'zod';
import { type FieldProblem, quote, StoreError } from './store-error.ts';

/** Largest value taken, in bytes. flannel's own are under 300; everything bigger is an accident or an attack. */
export const largestValue = 64 * 1024;

/** Deepest nesting taken: far above any real value, far below what overflows a stack. */
const deepestValue = 32;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

function depthOf(root: unknown): number {
  let depth = 0;
  for (let level: unknown[] = [root]; level.length > 0 && depth <= deepestValue; depth++) {
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return depth;
}

/** Reads a JSON object. Throws StoreError `invalid` that names `object`, for anything else or more than 64 KiB. */
export function parseJsonObject(value: string | Uint8Array, object: string): object {
  const fail = (message: string, cause?: unknown) =>
    new StoreError(`Cannot read "${object}"`, {
      code: 'invalid',
      object,
      problems: [{ field: '', message }],
      cause,
    });
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  if (bytes > largestValue) throw fail(`it has ${bytes} bytes: at most ${largestValue} are taken`);
  if (bytes === 0) throw fail('it is empty');
  let text: string;
  let parsed: unknown;
  try {
    text =
      typeof value === 'string'
        ? value
        : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw fail('it is not UTF-8 text', cause);
  }
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw fail(`it is not JSON (half-written?): ${quote(text)}`, cause);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw fail(`want a JSON object, not ${quote(parsed)}`);
  }
  if (depthOf(parsed) > deepestValue) throw fail(`it is nested more than ${deepestValue} deep`);
  return parsed;
}

/** A part of a parsed value that is kept as it is (zod's own z.json() drops some keys, and costs a walk). */
export const jsonField = z.custom<JsonValue>((value) => value !== undefined);

/**
 * A zod object whose keys are taken in any case, as Go's decoder takes them; unknown keys are dropped. Two spellings of one
 * key are refused: two readers could take different ones.
 */
export function goObject<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  const fold = (value: unknown, context: z.core.$RefinementCtx) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const folded = new Map<string, unknown>();
    for (const [key, field] of Object.entries(value)) {
      const name = names.get(key.toLowerCase());
      if (name === undefined) continue;
      if (folded.has(name)) {
        context.addIssue({ code: 'custom', path: [name], message: `is given twice, once as ${quote(key)}` });
      }
      folded.set(name, field);
    }
    return Object.fromEntries(folded);
  };
  return z.preprocess(fold, z.object(shape));
}

/** Runs the schema over the value; every issue becomes a problem that names the field and quotes what it holds. */
export function checkShape<Output>(
  schema: z.ZodType<Output>,
  value: unknown,
): { readonly data: Output | undefined; readonly problems: readonly FieldProblem[] } {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { data: result.data, problems: [] };
  const problems = result.error.issues.map((issue) => ({
    field: issue.path.join('.'),
    message: issue.code === 'custom' ? issue.message : describe(issue),
  }));
  return { data: undefined, problems };
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.input === undefined) return 'is missing';
  return `want ${wishOf(issue)}, not ${quote(issue.input)}`;
}

function wishOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
    case 'too_big':
      return `at most ${issue.maximum}`;
    case 'too_small':
      return `at least ${issue.minimum}`;
    case 'invalid_value':
      return `one of ${issue.values.map((each) => JSON.stringify(each)).join(', ')}`;
    default:
      return issue.message;
  }
}

/** Compact JSON as Go's json.Marshal writes it: it also escapes <, >, & and the two Unicode line separators in strings. */
export function printGoJson(value: JsonValue): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
