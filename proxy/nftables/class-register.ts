// Which classes are in use, under which numbers, and how often; and which choices they lead to. What their chains do is class-chains.ts.
import { choicesOf } from './class-chains.ts';
import { Journal } from './journal.ts';
import { NumberPool } from './number-pool.ts';
import { fixedClasses, type NumberedClass } from './proxy-table.ts';
import { upperLimit } from './token.ts';
import { type Choice, choiceName, className, type TrafficClass } from './traffic-class.ts';

/** A class that came into use, with the choices that had no chain yet. */
export interface AddedClass extends NumberedClass {
  readonly choices: readonly Choice[];
}

export class ClassRegister {
  readonly #classes = new Map<string, NumberedClass>();
  readonly #uses = new Map<string, number>();
  readonly #choices = new Map<string, Choice>();
  /** How many classes lead to a choice. */
  readonly #choiceUses = new Map<string, number>();
  readonly #numbers = new NumberPool(upperLimit);
  /** What an earlier process gave. */
  readonly #given: ReadonlyMap<string, number>;

  /** `given`: numbers by name that are in the kernel, and stay where the class is used again. */
  constructor(given: ReadonlyMap<string, number> = new Map()) {
    this.#given = new Map([...given].filter(([, number]) => this.#numbers.reserve(number)));
    for (const one of fixedClasses) this.use(one, new Journal());
  }

  get classes(): Iterable<NumberedClass> {
    return this.#classes.values();
  }

  get choices(): Iterable<Choice> {
    return this.#choices.values();
  }

  /** Counts a use. Undefined: the class is there already. Throws RangeError when all numbers are taken. */
  use(trafficClass: TrafficClass, journal: Journal): AddedClass | undefined {
    const key = className(trafficClass);
    const number = this.#classes.has(key) ? undefined : (this.#given.get(key) ?? this.#takeNumber(journal));
    journal.put(this.#uses, key, (this.#uses.get(key) ?? 0) + 1);
    if (number === undefined) return undefined;
    journal.put(this.#classes, key, { number, trafficClass });
    const choices: Choice[] = [];
    for (const choice of choicesOf(trafficClass)) {
      const name = choiceName(choice);
      journal.put(this.#choiceUses, name, (this.#choiceUses.get(name) ?? 0) + 1);
      if (this.#choices.has(name)) continue;
      journal.put(this.#choices, name, choice);
      choices.push(choice);
    }
    return { number, trafficClass, choices };
  }

  /** Gives a class its number before it is used. */
  prepare(trafficClass: TrafficClass): void {
    const journal = new Journal();
    this.use(trafficClass, journal);
    this.release(className(trafficClass), journal);
  }

  /** A class that nobody uses stays until `removeIdle`. */
  release(name: string, journal: Journal): void {
    journal.put(this.#uses, name, (this.#uses.get(name) ?? 1) - 1);
  }

  numberOf(name: string): number {
    const known = this.#classes.get(name);
    if (known === undefined) throw new TypeError(`Cannot number class "${name}": it is not in use`);
    return known.number;
  }

  /** Forgets the classes that nobody uses, and returns them. */
  removeIdleClasses(): readonly NumberedClass[] {
    const idle = [...this.#classes].filter(([name]) => (this.#uses.get(name) ?? 0) === 0);
    for (const [name, { number, trafficClass }] of idle) {
      this.#classes.delete(name);
      this.#uses.delete(name);
      if (!this.#given.has(name)) this.#numbers.release(number);
      for (const choice of choicesOf(trafficClass)) {
        const key = choiceName(choice);
        this.#choiceUses.set(key, (this.#choiceUses.get(key) ?? 1) - 1);
      }
    }
    return idle.map(([, one]) => one);
  }

  /** Forgets the choices that no class leads to, and returns them. */
  removeIdleChoices(): readonly Choice[] {
    const idle = [...this.#choices].filter(([name]) => (this.#choiceUses.get(name) ?? 0) === 0);
    for (const [name] of idle) {
      this.#choices.delete(name);
      this.#choiceUses.delete(name);
    }
    return idle.map(([, choice]) => choice);
  }

  #takeNumber(journal: Journal): number {
    const number = this.#numbers.take();
    if (number === undefined)
      throw new RangeError(`${upperLimit - 1} kinds of traffic are the most, and all are in use`);
    journal.made(() => this.#numbers.release(number));
    return number;
  }
}
