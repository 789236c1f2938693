// At most so many a second, and so many at once: what keeps a flood of bad packets from becoming one of complaints.

export interface TokenBucketOptions {
  readonly perSecond: number;
  readonly burst: number;
  /** Milliseconds, never less than before. */
  readonly now: () => number;
}

export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #filledAt: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#filledAt = options.now();
  }

  /** False: not this time. */
  take(): boolean {
    const { perSecond, burst, now } = this.#options;
    const time = now();
    this.#tokens = Math.min(burst, this.#tokens + ((time - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = time;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
