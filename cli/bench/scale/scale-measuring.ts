// What the cases of the stores' benchmark share: where rows and points go, how long things are looked at, and how figures become rows.
import type { BenchOptions, BenchRow } from '../bench.ts';
import { percentile99 } from '../compare-in-turn.ts';
import { median } from '../paired.ts';
import type { ScaleStoreName } from './scale-store.ts';

/** How long, and how much, beside the number of nodes. Milliseconds. */
export interface ScaleTimes {
  /** A reader at rest. */
  readonly rest: number;
  /** Nodes that come and go, nodes that join and services that change, at a rate. */
  readonly churn: number;
  /** The store is away for so long. */
  readonly outage: number;
  /** The longest that clients are waited for afterwards. */
  readonly back: number;
  /** Clients of the outage. */
  readonly crowd: number;
  /** Single changes whose time is taken. */
  readonly samples: number;
}

export const usualTimes: ScaleTimes = {
  rest: 60_000,
  churn: 10_000,
  outage: 30_000,
  back: 60_000,
  crowd: 200,
  samples: 100,
};

/** A figure that is drawn against the number of nodes. */
export interface ScalePoint {
  readonly what: 'time' | 'memory';
  readonly store: ScaleStoreName;
  readonly nodes: number;
  /** Milliseconds, or bytes. */
  readonly value: number;
}

/** What is drawn over the seconds of an outage. */
export interface OutageSeries {
  readonly name: string;
  readonly store: ScaleStoreName;
  /** Not measured, but computed from a back-off. */
  readonly isComputed: boolean;
  /** Attempts to connect in each second, the first one before the outage; at place `start` the store goes away. */
  readonly attempts: readonly number[];
  readonly start: number;
}

export interface ScaleMeasuring extends Pick<BenchOptions, 'runs' | 'signal' | 'progress'> {
  readonly times: ScaleTimes;
  readonly rows: BenchRow[];
  readonly points: ScalePoint[];
  readonly outages: OutageSeries[];
}

interface Figure {
  readonly value: number;
  readonly unit: string;
  readonly peer?: { readonly name: string; readonly value: number } | undefined;
}

export function addRow({ rows }: Pick<ScaleMeasuring, 'rows'>, name: string, figure: Figure): void {
  const { value, unit, peer } = figure;
  rows.push({
    case: name,
    ours: value,
    unit,
    peer: peer?.value ?? null,
    peerName: peer?.name ?? null,
    ratio: peer === undefined || peer.value === 0 ? null : value / peer.value,
  });
}

/** The median of the samples, and what only one of a hundred is longer than. */
export function addSamples(measuring: ScaleMeasuring, name: string, samples: readonly number[]): void {
  addRow(measuring, `${name}, p50`, { value: median(samples), unit: 'ms' });
  addRow(measuring, `${name}, p99`, { value: percentile99(samples), unit: 'ms' });
}

const mebibyte = 2 ** 20;

export function inMebibytes(bytes: number): number {
  return bytes / mebibyte;
}

/** "5,000 nodes". */
export function nodesText(nodes: number): string {
  return `${nodes.toLocaleString('en')} nodes`;
}
