// How to take back changes of what is remembered, for a transaction that the kernel refuses. Not the changes of the kernel: those are
// taken back by the kernel itself.

/** A map of any kind, as far as its entries can be put back. */
interface Entries {
  set(key: unknown, value: unknown): unknown;
  delete(key: unknown): unknown;
}

export class Journal {
  /** Three in a row: a map, a key, what it had; or, without a map, undefined and a function. A load has half a million of them. */
  readonly #entries: unknown[] = [];

  /** What takes back a change that was just made. */
  made(undo: () => void): void {
    this.#entries.push(undefined, undo, undefined);
  }

  /** Sets or (with undefined) deletes an entry. */
  put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    this.#entries.push(map, key, map.get(key));
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }

  /** Takes everything back, the last first. */
  undo(): void {
    for (let at = this.#entries.length - 3; at >= 0; at -= 3) {
      const [map, key, before] = this.#entries.slice(at, at + 3);
      if (isEntries(map)) {
        if (before === undefined) map.delete(key);
        else map.set(key, before);
      } else if (typeof key === 'function') key();
    }
    this.#entries.length = 0;
  }
}

function isEntries(map: unknown): map is Entries {
  return map instanceof Map;
}
