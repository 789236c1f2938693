// Hands the newest value to a reader who may be slow: what came in between is left out. The next reader begins with the newest too.
export class Newest<Value> {
  #value: Value | undefined;
  #version = 0;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  set(value: Value): void {
    this.#value = value;
    this.#version++;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** Ends when the signal aborts or this is closed. */
  async *read(signal: AbortSignal): AsyncGenerator<Value, void, undefined> {
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    let given = 0;
    try {
      while (!this.#isClosed && !signal.aborted) {
        const changed = this.#changed.promise;
        if (this.#value === undefined || given === this.#version) await changed;
        else {
          given = this.#version;
          yield this.#value;
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
