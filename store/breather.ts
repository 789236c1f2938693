// Lets other work run in the middle of a long one: timers, sockets and signals wait for nobody longer than this.

/** Longest time without a breath, in milliseconds. */
const longestMs = 8;

export class Breather {
  #since = performance.now();
  #isStopped = false;

  /** Cheap enough to ask at every step. */
  get isDue(): boolean {
    return performance.now() - this.#since > longestMs;
  }

  /** Rejects when the work is to stop. */
  async breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#isStopped) throw new Error('The work was stopped');
    this.#since = performance.now();
  }

  /** The next breath is the last one. */
  stop(): void {
    this.#isStopped = true;
    this.#since = Number.NEGATIVE_INFINITY;
  }
}
