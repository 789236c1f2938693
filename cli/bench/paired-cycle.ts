// Times a cycle of steps two ways, in turn: all steps ours, all steps the peer's, and again. For steps that undo each other, where
// paired.ts would do each twice.
import type { BenchRow } from './bench.ts';
import { median } from './paired.ts';

/** Does the step; what it resolves with are the milliseconds of the single things done in it. */
export type Way = () => Promise<readonly number[]>;

export interface CycleStep {
  /** Of the row with the time of the whole step. */
  readonly case: string;
  /** Of a second row, with the median over all single things; none if absent. */
  readonly each?: string | undefined;
  readonly ours: Way;
  /** Absent when the peer has no such thing, or is not on this machine. */
  readonly peer?: { readonly name: string; readonly way: Way } | undefined;
}

interface Times {
  readonly whole: number[];
  readonly single: number[];
}

/** Runs the cycle `runs` times after one to warm up. Rows in the order of the steps, medians in milliseconds. */
export async function compareCycle(
  steps: readonly CycleStep[],
  options: { readonly runs: number; readonly signal: AbortSignal },
): Promise<readonly BenchRow[]> {
  const ours = steps.map((): Times => ({ whole: [], single: [] }));
  const theirs = steps.map((): Times => ({ whole: [], single: [] }));
  for (let round = 0; round <= options.runs; round++) {
    // Round 0 warms up.
    const counts = round > 0;
    for (const [place, step] of steps.entries())
      await time(step.ours, counts ? ours[place] : undefined, options.signal);
    for (const [place, { peer }] of steps.entries())
      if (peer !== undefined) await time(peer.way, counts ? theirs[place] : undefined, options.signal);
  }
  return steps.flatMap((step, place) => rowsOf(step, { ours: ours[place], theirs: theirs[place] }));
}

async function time(way: Way, into: Times | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const start = performance.now();
  const single = await way();
  const whole = performance.now() - start;
  into?.whole.push(whole);
  into?.single.push(...single);
}

function rowsOf(
  step: CycleStep,
  { ours, theirs }: { readonly ours: Times | undefined; readonly theirs: Times | undefined },
): readonly BenchRow[] {
  const row = (name: string, kind: keyof Times): BenchRow => {
    const figure = median(ours?.[kind] ?? []);
    const base = { case: name, ours: figure, unit: 'ms' };
    if (step.peer === undefined) return { ...base, peer: null, peerName: null, ratio: null };
    const peer = median(theirs?.[kind] ?? []);
    return { ...base, peer, peerName: step.peer.name, ratio: figure / peer };
  };
  return [row(step.case, 'whole'), ...(step.each === undefined ? [] : [row(step.each, 'single')])];
}
