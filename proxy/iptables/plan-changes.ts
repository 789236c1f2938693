// The steps for some service ports that changed, from what is known to be in the kernel. Only their own chains are written; in chains that
// all ports share single lines come and go.
import { type PlaceName, placeNames, places } from './place.ts';
import type { RuleStep } from './rule-step.ts';
import type { PortRules } from './service-rules.ts';
import { type WantedRules, writeSharedChain } from './wanted-rules.ts';

/**
 * To remove a line iptables reads its chain and looks from the top: one of 5,000 lines costs about 50 ms, each further one up to 8. To
 * write the chain whole costs 350 (measured, iptables-nft 1.8.9).
 */
const mostRemovedLines = 32;

export interface PortChange {
  readonly key: string;
  readonly before: PortRules | undefined;
  readonly after: PortRules | undefined;
}

/** `wanted` is everything as it is to be afterwards. */
export function planChanges(changes: readonly PortChange[], wanted: WantedRules): readonly RuleStep[] {
  const steps = changes.flatMap(chainSteps);
  const lines = new Map<PlaceName, RuleStep[]>();
  for (const change of changes) addLineSteps(change, lines);
  for (const place of placeNames) {
    const here = lines.get(place) ?? [];
    const removed = here.filter(({ kind }) => kind === 'line-remove').length;
    if (removed > mostRemovedLines) steps.push(writeSharedChain(wanted, place));
    else steps.push(...here);
  }
  return steps;
}

function chainSteps({ key: port, before, after }: PortChange): RuleStep[] {
  const steps: RuleStep[] = [];
  for (const [chain, lines] of after?.chains ?? []) {
    const old = before?.chains.get(chain);
    if (old === undefined || !same(old, lines))
      steps.push({ kind: 'chain-write', table: 'nat', chain, lines, port });
  }
  for (const chain of before?.chains.keys() ?? []) {
    if (after?.chains.has(chain) !== true) steps.push({ kind: 'chain-delete', table: 'nat', chain, port });
  }
  return steps;
}

function same(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((line, i) => line === right[i]);
}

/** A port may have a line twice: external and balancer's address may be one. */
function addLineSteps({ key: port, before, after }: PortChange, lines: Map<PlaceName, RuleStep[]>): void {
  const left = [...(after?.shared ?? [])];
  const add = (place: PlaceName, step: RuleStep) => {
    const steps = lines.get(place);
    if (steps === undefined) lines.set(place, [step]);
    else steps.push(step);
  };
  for (const { place, line } of before?.shared ?? []) {
    const stays = left.findIndex((one) => one.place === place && one.line === line);
    if (stays !== -1) left.splice(stays, 1);
    else add(place, { kind: 'line-remove', ...places[place], line, port });
  }
  for (const { place, line } of left) add(place, { kind: 'line-insert', ...places[place], line, port });
}
