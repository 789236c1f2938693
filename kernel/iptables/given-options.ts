// The options that a rule gives to one match or target, gathered before it is known whether all are there. The tables of which there
// are: match-words.ts, target-words.ts.
import type { Family } from '../../net/address.ts';
import type { Criterion } from './rule.ts';

/** `value`: a word follows; `pair`: two, which are given with a blank between. `!`: may be negated. */
export type OptionForm = 'flag' | '!flag' | 'value' | '!value' | '!pair';

/** One match or target: its options, and how to make it of those given. */
export interface WordForm<T> {
  readonly options: Readonly<Record<string, OptionForm>>;
  /** Throws SyntaxError. */
  build(given: GivenOptions): T;
}

interface Given {
  readonly value: string;
  readonly not: boolean;
}

export class GivenOptions {
  readonly family: Family;
  /** "match conntrack", for errors. */
  readonly #owner: string;
  readonly #given = new Map<string, Given>();

  constructor(owner: string, family: Family) {
    this.#owner = owner;
    this.family = family;
  }

  put(option: string, given: Given): void {
    if (this.#given.has(option)) throw new SyntaxError(`Cannot give ${option} twice to ${this.#owner}`);
    this.#given.set(option, given);
  }

  has(option: string): boolean {
    return this.#given.has(option);
  }

  text(option: string): string | undefined {
    return this.#given.get(option)?.value;
  }

  /** Throws SyntaxError when it was not given. */
  required(option: string): string {
    const text = this.text(option);
    if (text === undefined) throw new SyntaxError(`Cannot use ${this.#owner} without ${option}`);
    return text;
  }

  not(option: string): boolean {
    return this.#given.get(option)?.not === true;
  }

  /** The option as a criterion, read by `read`; undefined when it was not given. */
  criterion<T>(option: string, read: (text: string) => T): Criterion<T> | undefined {
    const given = this.#given.get(option);
    return given === undefined ? undefined : { value: read(given.value), not: given.not };
  }

  /** The one of the options that was given. Throws SyntaxError when it is none, or more. */
  oneOf<T extends string>(options: readonly T[]): T {
    const [one, ...more] = options.filter((option) => this.has(option));
    if (one === undefined || more.length > 0)
      throw new SyntaxError(`Cannot use ${this.#owner}: want one of ${options.join(', ')}`);
    return one;
  }
}
