// Times several ways of doing the same in turn (A B C A B C …), where paired.ts has two, and keeps all samples: for medians and for
// the worst of a hundred. Each way says by itself what of it is timed.
import type { BenchRow } from './bench.ts';
import { median } from './paired.ts';

export interface Way {
  /** Undefined: ours. */
  readonly peer?: string;
  /** One sample: milliseconds of what counts. */
  readonly sample: () => number | Promise<number>;
  /** Samples in a round; 1 if absent. What takes microseconds needs many of them. */
  readonly times?: number;
}

export interface Samples {
  readonly peer: string | undefined;
  readonly values: readonly number[];
}

/** `runs` rounds after one that warms up. */
export async function sampleInTurn(
  ways: readonly Way[],
  { runs, signal }: { readonly runs: number; readonly signal: AbortSignal },
): Promise<readonly Samples[]> {
  const all = ways.map((way) => ({ way, values: [] as number[] }));
  for (let round = 0; round <= runs; round++) {
    for (const { way, values } of all) {
      for (let i = 0; i < (way.times ?? 1); i++) {
        signal.throwIfAborted();
        const value = await way.sample();
        if (round > 0) values.push(value);
      }
    }
  }
  return all.map(({ way, values }) => ({ peer: way.peer, values }));
}

/** Milliseconds that the action takes. */
export async function timed(action: () => unknown): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** What is not above a hundredth of the values: of less than a hundred, the largest. */
export function percentile99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.ceil(sorted.length * 0.99) - 1];
  if (value === undefined) throw new RangeError('Cannot take a percentile of no values');
  return value;
}

/** One row a peer, each with our median; one row without, if there is none. */
export function rowsOf(
  name: string,
  samples: readonly Samples[],
  { unit = 'ms', scale = 1 }: { readonly unit?: string; readonly scale?: number } = {},
): readonly BenchRow[] {
  const mine = samples.find(({ peer }) => peer === undefined);
  if (mine === undefined) throw new TypeError(`There are no samples of ours for "${name}"`);
  const ours = median(mine.values) * scale;
  const peers = samples.flatMap(({ peer, values }) => (peer === undefined ? [] : [{ peer, values }]));
  if (peers.length === 0) return [aloneRow(name, ours, unit)];
  return peers.map(({ peer: peerName, values }) => {
    const peer = median(values) * scale;
    return { case: name, ours, unit, peer, peerName, ratio: ours / peer };
  });
}

/** A figure that nobody else has. */
export function aloneRow(name: string, ours: number, unit = 'ms'): BenchRow {
  return { case: name, ours, unit, peer: null, peerName: null, ratio: null };
}
