// How many lines of each table are the proxy's, and how many the last sync wrote: kube-proxy's gauges. Counted when asked, from what is
// remembered; the kernel is not looked at.
import type { FixedRules } from './fixed-rules.ts';
import { type PlaceName, places, type TableName } from './place.ts';
import type { RuleStep } from './rule-step.ts';
import type { PortRules } from './service-rules.ts';

/** By table. */
export interface IptablesRules {
  readonly total: ReadonlyMap<string, number>;
  /** Written by the last sync. */
  readonly last: ReadonlyMap<string, number>;
}

export function countRules(
  fixed: FixedRules,
  ports: ReadonlyMap<string, PortRules>,
): ReadonlyMap<TableName, number> {
  const counts = new Map<TableName, number>();
  const add = (table: TableName, count: number) => counts.set(table, (counts.get(table) ?? 0) + count);
  for (const { table, lines } of fixed.chains) add(table, lines.length);
  for (const { table } of fixed.jumps) add(table, 1);
  for (const [place, lines] of Object.entries(fixed.tails)) {
    // Object.entries forgets that the keys are the record's own.
    add(places[place as PlaceName].table, lines.length);
  }
  for (const { chains, shared } of ports.values()) {
    for (const lines of chains.values()) add('nat', lines.length);
    for (const { place } of shared) add(places[place].table, 1);
  }
  return counts;
}

/** Adds the lines that the steps write to those of earlier steps of the same sync. */
export function addWritten(counts: Map<string, number>, steps: readonly RuleStep[]): void {
  for (const step of steps) {
    const lines = step.kind === 'chain-write' ? step.lines.length : step.kind === 'line-insert' ? 1 : 0;
    if (lines > 0) counts.set(step.table, (counts.get(step.table) ?? 0) + lines);
  }
}
