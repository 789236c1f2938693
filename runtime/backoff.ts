// How long to wait before something that failed is tried again. Pure: the randomness is handed in.

export interface Backoff {
  /** The first delay, in milliseconds; it doubles with each further failure. */
  readonly min: number;
  /** The longest delay, in milliseconds. */
  readonly max: number;
}

/**
 * Milliseconds to wait after the `failures`th failure in a row: min, 2 min, 4 min ... at most max, of which up to half
 * is taken off by `random` (in [0, 1)), so that nodes that failed together do not come back together.
 */
export function backoffDelay(
  failures: number,
  { min, max, random }: Backoff & { readonly random: () => number },
): number {
  const full = Math.min(max, min * 2 ** Math.max(0, failures - 1));
  return full * (1 - random() / 2);
}
