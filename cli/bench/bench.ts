// What a benchmark is: named cases, each with our figure and, from the same run, a peer's. How to time them is paired.ts.

/** One line of a result. `ratio` is ours / peer; peer, peerName and ratio are null when that peer is not on this machine. */
export interface BenchRow {
  readonly case: string;
  readonly ours: number;
  readonly unit: string;
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly ratio: number | null;
}

/** The fixed shape of `netloom bench NAME --json`. */
export interface BenchResult {
  readonly bench: string;
  readonly machine: string;
  readonly rows: readonly BenchRow[];
}

export interface BenchOptions {
  /** How often each case is run; medians are reported. */
  readonly runs: number;
  /** How many objects the large cases handle. */
  readonly size: number;
  /** Told which case begins. */
  readonly progress: (text: string) => void;
  /** Told what cannot be measured on this machine, and why. */
  readonly leaveOut: (text: string) => void;
  /** Of the benchmark's backends only these. */
  readonly backends?: readonly string[] | undefined;
  /** How long a sample of traffic lasts, where there is any. */
  readonly seconds?: number | undefined;
  readonly signal: AbortSignal;
  /** Which machine, for those who draw. */
  readonly note: string;
  /** Given the plot as SVG, by benchmarks that have one; `part` names a further one. */
  readonly onPlot?: (svg: string, part?: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** How many objects where nobody says it; 5,000 if absent. */
  readonly size?: number;
  readonly hasPlot?: boolean;
  /** What it sends traffic through, for a time; absent where it sends none. */
  readonly backends?: readonly string[];
  run(options: BenchOptions): Promise<readonly BenchRow[]>;
}
