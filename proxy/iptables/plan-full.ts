// The steps from what the kernel has to what should be there: takes over what kube-proxy or an earlier process left, and mends what
// somebody else changed. Nothing when all is right, in whatever spelling and order.

import type { ForeignLine } from './base-jumps.ts';
import { portChainRank } from './chain-names.ts';
import { type KernelRules, leadsTo } from './kernel-rules.ts';
import { LineComparison } from './line-comparison.ts';
import { normalRule } from './normal-rule.ts';
import { chainKey, places, type TableName } from './place.ts';
import { planRemoval } from './removal.ts';
import type { RuleStep } from './rule-step.ts';
import { sharedChainLines, type WantedRules, writeSharedChain } from './wanted-rules.ts';

export function planFull(
  wanted: WantedRules,
  kernel: KernelRules,
  comparison = new LineComparison(),
): readonly RuleStep[] {
  comparison.begin();
  const find = (table: TableName, chain: string) => kernel.get(table)?.get(chain)?.lines;
  const steps: RuleStep[] = [];
  for (const { table, chain } of wanted.fixed.present) {
    if (find(table, chain) === undefined) steps.push({ kind: 'chain-write', table, chain, lines: [] });
  }
  for (const { table, chain, lines } of wanted.fixed.chains) {
    if (!comparison.same(chainKey(table, chain), find(table, chain), { lines }))
      steps.push({ kind: 'chain-write', table, chain, lines });
  }
  for (const [port, { chains }] of wanted.ports) {
    for (const [chain, lines] of chains) {
      if (!comparison.same(chainKey('nat', chain), find('nat', chain), { lines }))
        steps.push({ kind: 'chain-write', table: 'nat', chain, lines, port });
    }
  }
  for (const place of wanted.fixed.places) {
    const { table, chain } = places[place];
    if (!comparison.same(chainKey(table, chain), find(table, chain), sharedChainLines(wanted, place)))
      steps.push(writeSharedChain(wanted, place));
  }
  for (const jump of wanted.fixed.jumps) steps.push(...planJump(jump, find(jump.table, jump.chain) ?? []));
  for (const jump of wanted.fixed.oldJumps)
    steps.push(...planOldJump(jump, find(jump.table, jump.chain) ?? []));
  steps.push(...planOld(wanted, kernel), ...planStale(wanted, kernel));
  return steps;
}

/** Once, wherever in the chain it stands. */
function planJump({ table, chain, line }: ForeignLine, actual: readonly string[]): readonly RuleStep[] {
  const wanted = normalRule(line);
  const [first, ...doubles] = actual.filter((one) => normalRule(one) === wanted);
  if (first === undefined) return [{ kind: 'line-insert', table, chain, line }];
  return doubles.map((double) => ({ kind: 'line-remove' as const, table, chain, line: double }));
}

function planOldJump({ table, chain, line }: ForeignLine, actual: readonly string[]): readonly RuleStep[] {
  const old = normalRule(line);
  const found = actual.filter((one) => normalRule(one) === old);
  return found.map((one) => ({ kind: 'line-remove', table, chain, line: one }));
}

function planOld(wanted: WantedRules, kernel: KernelRules): readonly RuleStep[] {
  const { isOld } = wanted.fixed;
  return [...kernel].flatMap(
    ([table, chains]) =>
      planRemoval(chains, {
        table,
        isOurs: (chain) => isOld(table, chain),
        isRewritten: (chain) => isRewritten(wanted, table, chain) || isPortChain(table, chain),
      }).steps,
  );
}

function isPortChain(table: TableName, chain: string): boolean {
  return table === 'nat' && portChainRank(chain) !== undefined;
}

/** Chains of service ports that are no more. One that a stranger's rule leads to would refuse the whole transaction: it stays, empty. */
function planStale(all: WantedRules, kernel: KernelRules): readonly RuleStep[] {
  const table = kernel.get('nat') ?? new Map<string, never>();
  const wanted = new Set([...all.ports.values()].flatMap(({ chains }) => [...chains.keys()]));
  const stale: string[] = [];
  const used = new Set<string>();
  for (const [chain, { lines }] of table) {
    if (portChainRank(chain) !== undefined) {
      if (!wanted.has(chain)) stale.push(chain);
    } else if (!isRewritten(all, 'nat', chain)) {
      for (const line of lines) used.add(leadsTo(line) ?? '');
    }
  }
  return stale.flatMap((chain): readonly RuleStep[] => {
    if (!used.has(chain)) return [{ kind: 'chain-delete', table: 'nat', chain }];
    const isEmpty = table.get(chain)?.lines.length === 0;
    return isEmpty ? [] : [{ kind: 'chain-write', table: 'nat', chain, lines: [] }];
  });
}

/** What it holds now does not count: its lines are the wanted ones afterwards, or it is gone. */
function isRewritten({ fixed }: WantedRules, table: TableName, chain: string): boolean {
  return (
    fixed.isOld(table, chain) ||
    fixed.places.some((place) => places[place].table === table && places[place].chain === chain) ||
    fixed.chains.some((one) => one.table === table && one.chain === chain)
  );
}
