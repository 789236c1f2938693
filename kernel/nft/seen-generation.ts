// Which generation of the ruleset is known: tells changes by others from our own. Those who change the ruleset of one namespace in one
// process are of one group, since the generation counts the changes of all of them.

export class SeenGeneration {
  readonly #group: SeenGeneration[];
  #seen: number | undefined;

  /** Of the same group as `beside`. */
  constructor(beside?: SeenGeneration) {
    this.#group = beside === undefined ? [] : beside.#group;
    this.#group.push(this);
  }

  /** The ruleset is about to be compared with what is wanted. */
  looked(generation: number): void {
    this.#seen = generation;
  }

  /** We changed it: that is no news to the group. When somebody else did too since the last look, that stays visible. */
  made(before: number, after: number): void {
    this.#seen ??= before;
    for (const one of this.#group) if (one.#seen === before) one.#seen = after;
  }

  /** True when nobody but the group changed anything since the look. */
  isCurrent(now: number): boolean {
    return this.#seen === now;
  }

  /** False before the first look. */
  differs(now: () => number): boolean {
    return this.#seen !== undefined && this.#seen !== now();
  }
}
