// Wakes all who wait for something to be different. Who looks, and waits when there is nothing for him, takes `next` before he looks:
// so no beat in between is missed.
export class Pulse {
  #next = Promise.withResolvers<void>();

  /** Resolves at the next beat. */
  get next(): Promise<void> {
    return this.#next.promise;
  }

  /** Resolves at the next beat, or when the signal aborts. */
  nextOrAbort(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      if (signal.aborted) done();
      else signal.addEventListener('abort', done, { once: true });
      void this.next.then(done);
    });
  }

  beat(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }
}
