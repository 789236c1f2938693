// Which port has which address: an address of one protocol and port can lead to one service only. Who comes second waits.
import type { Journal } from './journal.ts';

export class AddressOwners {
  readonly #owners = new Map<string, string>();
  readonly #waiting = new Map<string, ReadonlySet<string>>();

  ownerOf(text: string): string | undefined {
    return this.#owners.get(text);
  }

  /** False when another has it; the port then waits for it. */
  take(text: string, key: string, journal: Journal): boolean {
    const owner = this.#owners.get(text);
    if (owner === undefined) {
      journal.put(this.#owners, text, key);
      return true;
    }
    if (owner === key) return true;
    journal.put(this.#waiting, text, new Set(this.#waiting.get(text)).add(key));
    return false;
  }

  release(text: string, key: string, journal: Journal): void {
    if (this.#owners.get(text) === key) journal.put(this.#owners, text, undefined);
  }

  stopWaiting(text: string, key: string, journal: Journal): void {
    const others = new Set(this.#waiting.get(text));
    if (!others.delete(key)) return;
    journal.put(this.#waiting, text, others.size === 0 ? undefined : others);
  }

  /** Ports that wait for an address that nobody has now. */
  waitingFor(text: string): readonly string[] {
    return this.#owners.has(text) ? [] : [...(this.#waiting.get(text) ?? [])];
  }
}
