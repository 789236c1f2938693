// A benchmark's result as a table for people. Pure.
import type { BenchResult } from './bench.ts';

export function benchTable(result: BenchResult): readonly string[] {
  const header = ['case', 'Netloom', 'peer', '', 'ratio'];
  const rows = result.rows.map((row) => [
    row.case,
    `${number(row.ours)} ${row.unit}`,
    row.peer === null ? '-' : `${number(row.peer)} ${row.unit}`,
    row.peerName ?? 'not on this machine',
    row.ratio === null ? '-' : row.ratio.toFixed(2),
  ]);
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 || i === 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [`bench ${result.bench} · ${result.machine}`, '', line(header), ...rows.map(line)];
}

/** Three figures that mean something. */
function number(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return value.toPrecision(3);
}
