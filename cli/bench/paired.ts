// Times two ways of doing the same, in turn (A B A B …), so that the machine's moods hit both alike. It judges nothing.
import type { BenchRow } from './bench.ts';

/** One way: `prepare` and `after` are not timed. */
export interface Contender {
  readonly prepare?: () => void | Promise<void>;
  readonly run: () => void | Promise<void>;
  readonly after?: () => void | Promise<void>;
}

export interface PairedCase {
  readonly case: string;
  readonly ours: Contender;
  /** Absent when the peer is not on this machine. */
  readonly peer?: (Contender & { readonly name: string }) | undefined;
  /** How many things one run does: the figures are per thing. 1 if absent. */
  readonly per?: number;
  readonly unit?: 'ms' | 'us';
}

/** Runs both ways `runs` times after one warm-up and reports medians in the unit (ms if absent). */
export async function comparePaired(
  item: PairedCase,
  options: { readonly runs: number; readonly signal: AbortSignal },
): Promise<BenchRow> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round <= options.runs; round++) {
    options.signal.throwIfAborted();
    const mine = await timed(item.ours);
    const other = item.peer === undefined ? undefined : await timed(item.peer);
    // Round 0 warms up.
    if (round === 0) continue;
    ours.push(mine);
    if (other !== undefined) theirs.push(other);
  }
  const { unit = 'ms', per = 1 } = item;
  const scale = (unit === 'us' ? 1000 : 1) / per;
  const figure = median(ours) * scale;
  if (item.peer === undefined) {
    return { case: item.case, ours: figure, unit, peer: null, peerName: null, ratio: null };
  }
  const peer = median(theirs) * scale;
  return { case: item.case, ours: figure, unit, peer, peerName: item.peer.name, ratio: figure / peer };
}

async function timed(contender: Contender): Promise<number> {
  await contender.prepare?.();
  const start = process.hrtime.bigint();
  await contender.run();
  const end = process.hrtime.bigint();
  await contender.after?.();
  return Number(end - start) / 1e6;
}

/** Of an even number of values the mean of the two in the middle. Throws RangeError without values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError('Cannot take the median of no values');
  return (upper + lower) / 2;
}
