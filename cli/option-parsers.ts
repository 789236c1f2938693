// Parsers of option values for commander, which names the option in the complaint.
import { InvalidArgumentError } from 'commander';
import { errorMessage } from '../runtime/error-text.ts';

/** Turns a parser's error into commander's. */
export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(errorMessage(error));
    }
  };
}

/** Throws RangeError for anything but a whole number from `least` to `most`. */
export function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new RangeError(`Want a whole number from ${least} to ${most}.`);
  };
}

/** Gathers an option that may be repeated. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** The same with a choice each time. */
export function collectedChoices(
  choices: readonly string[],
): (text: string, before?: readonly string[]) => readonly string[] {
  return (text, before = []) => {
    if (choices.includes(text)) return collected(text, before);
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
  };
}

/** Gathers "name=value" options that may be repeated, as a mapping. */
export function keyValue(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Want name=value.');
  return { ...before, [name]: value };
}
