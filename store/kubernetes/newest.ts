// Hands the newest value to a reader who may be slow: what came in between is left out. The next reader begins with the newest too.
import { Pulse } from '../../runtime/pulse.ts';

export class Newest<Value> {
  #value: Value | undefined;
  #version = 0;
  #isClosed = false;
  readonly #changed = new Pulse();

  set(value: Value): void {
    this.#value = value;
    this.#version++;
    this.#changed.beat();
  }

  close(): void {
    this.#isClosed = true;
    this.#changed.beat();
  }

  /** Ends when the signal aborts or this is closed. */
  async *read(signal: AbortSignal): AsyncGenerator<Value, void, undefined> {
    const wake = () => this.#changed.beat();
    signal.addEventListener('abort', wake, { once: true });
    let given = 0;
    try {
      while (!this.#isClosed && !signal.aborted) {
        const changed = this.#changed.next;
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
}
