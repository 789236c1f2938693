// All rules that should be there: the fixed ones and those of every service port.
import type { FixedRules } from './fixed-rules.ts';
import { type PlaceName, places } from './place.ts';
import type { RuleStep } from './rule-step.ts';
import type { PortRules } from './service-rules.ts';

export interface WantedRules {
  readonly fixed: FixedRules;
  /** By key of service port, in any order. */
  readonly ports: ReadonlyMap<string, PortRules>;
}

/** Lines of a shared chain: those of ports, by name, then its tail. */
export function sharedChainLines(
  { ports, fixed }: WantedRules,
  place: PlaceName,
): { readonly lines: readonly string[]; readonly tail: readonly string[] } {
  const lines: string[] = [];
  for (const key of [...ports.keys()].sort()) {
    for (const one of ports.get(key)?.shared ?? []) if (one.place === place) lines.push(one.line);
  }
  return { lines, tail: fixed.tails[place] ?? [] };
}

/** Writes a shared chain whole. */
export function writeSharedChain(wanted: WantedRules, place: PlaceName): RuleStep {
  const { lines, tail } = sharedChainLines(wanted, place);
  return { kind: 'chain-write', ...places[place], lines: [...lines, ...tail] };
}
