// The types that settings have. Each takes the text of flags and variables and the richer values of a file alike.
import { z } from 'zod';
import { errorMessage } from '../error-text.ts';
import { type TypeFacts, withFacts } from './type-facts.ts';

/** A type from a function that returns undefined, or throws with the reason, for what it does not take. */
function typeFrom<In, Out>(facts: TypeFacts, parse: (input: unknown) => Out | undefined): z.ZodType<Out, In> {
  const type = z.custom<In>().transform((input, context) => {
    let reason = '';
    try {
      const out = parse(input);
      if (out !== undefined) return out;
    } catch (error) {
      reason = `: ${errorMessage(error)}`;
    }
    context.issues.push({ code: 'custom', message: `expected ${facts.expected}${reason}`, input });
    return z.NEVER;
  });
  return withFacts(type, facts);
}

/** A text that `parse` turns into a value: an address, a prefix ... `expected` ends the sentence "expected ...". */
export function parsed<Out>({
  parse,
  ...facts
}: Omit<TypeFacts, 'shape'> & { readonly parse: (text: string) => Out | undefined }): z.ZodType<Out, string> {
  return typeFrom(facts, (input) => (typeof input === 'string' ? parse(input) : undefined));
}

/** Any text but the empty one. */
export function text(): z.ZodType<string, string> {
  return typeFrom({ expected: 'a text', placeholder: 'text' }, (input) =>
    typeof input === 'string' && input !== '' ? input : undefined,
  );
}

const yes: ReadonlySet<unknown> = new Set([true, 'true', 'yes', 'on', '1']);
const no: ReadonlySet<unknown> = new Set([false, 'false', 'no', 'off', '0']);

/** On or off. As a flag it takes no value: `--name`, `--no-name`. */
export function flag(): z.ZodType<boolean, boolean | string> {
  return typeFrom({ expected: 'true or false', placeholder: 'boolean', shape: 'flag' }, (input) =>
    yes.has(input) ? true : no.has(input) ? false : undefined,
  );
}

/** A whole number, both bounds included. */
export function integer({
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
} = {}): z.ZodType<number, number | string> {
  return typeFrom({ expected: `a whole number${range({ min, max })}`, placeholder: 'number' }, (input) => {
    const value = typeof input === 'string' && /^-?\d+$/.test(input) ? Number(input) : input;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : undefined;
  });
}

function range({ min, max }: { readonly min: number; readonly max: number }): string {
  if (min === Number.MIN_SAFE_INTEGER) return max === Number.MAX_SAFE_INTEGER ? '' : ` of at most ${max}`;
  return max === Number.MAX_SAFE_INTEGER ? ` of at least ${min}` : ` from ${min} to ${max}`;
}

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const durationText =
  /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;

/** Milliseconds, from texts such as `500ms`, `10s`, `1h30m`, `2d`. A number without a unit is refused, but for 0. */
export function duration({
  min = '0s',
  max,
}: {
  readonly min?: string;
  readonly max?: string;
} = {}): z.ZodType<number, string | 0> {
  const least = requireDuration(min);
  const most = max === undefined ? Number.MAX_SAFE_INTEGER : requireDuration(max);
  const bounds = max !== undefined ? ` from ${min} to ${max}` : least > 0 ? ` of at least ${min}` : '';
  return typeFrom(
    { expected: `a duration${bounds}, such as 500ms, 10s or 1h30m`, placeholder: 'duration' },
    (input) => {
      const value = parseDuration(input);
      return value !== undefined && value >= least && value <= most ? value : undefined;
    },
  );
}

function parseDuration(input: unknown): number | undefined {
  if (input === 0 || input === '0') return 0;
  const parts = typeof input === 'string' && input !== '' ? durationText.exec(input) : null;
  if (parts === null) return undefined;
  const [, d = 0, h = 0, m = 0, s = 0, ms = 0] = parts;
  return (
    Number(d) * milliseconds.d +
    Number(h) * milliseconds.h +
    Number(m) * milliseconds.m +
    Number(s) * milliseconds.s +
    Number(ms)
  );
}

function requireDuration(input: string): number {
  const value = parseDuration(input);
  if (value === undefined) throw new SyntaxError(`Cannot bound a duration by "${input}": it is none`);
  return value;
}

/** One of some words. */
export function choice<const W extends readonly [string, ...string[]]>(
  words: W,
): z.ZodType<W[number], W[number]> {
  return typeFrom({ expected: `one of ${words.join(', ')}`, placeholder: words.join('|') }, (input) =>
    words.find((word) => word === input),
  );
}

/** Several of a type: a list in a file, text with commas elsewhere; the empty text is the empty list. */
export function list<Out, In>(item: z.ZodType<Out, In>): z.ZodType<readonly Out[], string | readonly In[]> {
  const facts: TypeFacts = { expected: 'a list, or text with commas', placeholder: 'list', shape: 'list' };
  const type = z.custom<string | readonly In[]>().transform((input: unknown, context) => {
    const items: unknown = typeof input === 'string' ? splitList(input) : input;
    if (!Array.isArray(items)) {
      context.issues.push({ code: 'custom', message: `expected ${facts.expected}`, input });
      return z.NEVER;
    }
    const values: Out[] = [];
    for (const [i, element] of items.entries()) {
      const result = item.safeParse(element);
      if (result.success) values.push(result.data);
      for (const { path, message } of result.error?.issues ?? []) {
        context.issues.push({ code: 'custom', message, path: [i, ...path], input });
      }
    }
    return Object.freeze(values);
  });
  return withFacts(type, facts);
}

const splitList = (input: string): readonly string[] =>
  input.trim() === '' ? [] : input.split(',').map((part) => part.trim());

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const hostPortText = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/;

/** Where to listen or connect: `127.0.0.1:9090`, `[::1]:9090`, `name:9090`. Port 0 asks for any that is free. */
export function hostPort(): z.ZodType<HostPort, string> {
  return parsed({
    expected: 'a host and a port, such as 127.0.0.1:9090 or [::1]:9090',
    placeholder: 'host:port',
    parse(input) {
      const [, bracketed, plain, digits] = hostPortText.exec(input) ?? [];
      const host = bracketed ?? plain;
      const port = Number(digits);
      return host === undefined || port > 65_535 ? undefined : Object.freeze({ host, port });
    },
  });
}
