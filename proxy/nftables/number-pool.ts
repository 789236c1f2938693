// Hands out numbers from 1 up, and a number that was given back as late as it can: what still carries it (an affinity entry, a packet
// under way) has the longest time to go.

export class NumberPool {
  readonly #limit: number;
  readonly #used = new Set<number>();
  #next = 1;

  /** Numbers are 1 to `limit` less one. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Undefined when all are in use. */
  take(): number | undefined {
    if (this.#used.size >= this.#limit - 1) return undefined;
    while (this.#used.has(this.#next)) this.#advance();
    const number = this.#next;
    this.#used.add(number);
    this.#advance();
    return number;
  }

  /** Marks a number as used; those handed out next are larger. False when it is out of range, or used. */
  reserve(number: number): boolean {
    if (number < 1 || number >= this.#limit || this.#used.has(number)) return false;
    this.#used.add(number);
    if (number >= this.#next) {
      this.#next = number;
      this.#advance();
    }
    return true;
  }

  release(number: number): void {
    this.#used.delete(number);
  }

  /** Gives back all but these. */
  keepOnly(numbers: ReadonlySet<number>): void {
    for (const number of this.#used) if (!numbers.has(number)) this.#used.delete(number);
  }

  #advance(): void {
    this.#next = this.#next + 1 >= this.#limit ? 1 : this.#next + 1;
  }
}
