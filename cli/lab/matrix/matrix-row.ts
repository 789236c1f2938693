// What became of one combination. The shape of `lab matrix --json`.
import type { Combination } from './combination.ts';

export interface MatrixRow extends Combination {
  readonly state: 'passed' | 'failed' | 'not-here';
  /** How many checks were run. */
  readonly checks: number;
  /** Milliseconds from the first namespace to the last one's end; 0 if it was not tried. */
  readonly ms: number;
  /** Why it could not be tried; null if it was. */
  readonly reason: string | null;
  /** What failed: a check, or the lab on its way up. */
  readonly failures: readonly { readonly name: string; readonly detail: string }[];
}

export interface MatrixReport {
  /** As uname tells it. */
  readonly kernel: string;
  readonly matrix: readonly MatrixRow[];
}
