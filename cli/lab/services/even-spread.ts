// Whether counts look like an even, random spread: Pearson's chi-square against a limit that chance alone passes once in a million. Pure.

/** Standard normal quantile of 1 - 1e-6. */
const quantile = 4.7534;

/** The value that chi-square with so many degrees of freedom stays below but for one time in a million (Wilson and Hilferty, 1931). */
export function chiSquareLimit(degrees: number): number {
  const part = 2 / (9 * degrees);
  return degrees * (1 - part + quantile * Math.sqrt(part)) ** 3;
}

export function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** One count for each of the possible outcomes, those that never came included. */
export function isEvenSpread(counts: readonly number[]): boolean {
  return counts.length < 2 || chiSquare(counts) <= chiSquareLimit(counts.length - 1);
}
