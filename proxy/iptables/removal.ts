// Takes chains out of iptables, with what leads to them from the built-in ones. Whose chains they are is the caller's business; chains of
// others that lead to them are left, and so is, emptied, what they lead to.
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import type { Family } from '../../net/address.ts';
import { portChainRank } from './chain-names.ts';
import { type KernelTable, leadsTo, readKernelRules } from './kernel-rules.ts';
import { loadBatches } from './load-batches.ts';
import type { TableName } from './place.ts';
import { restoreText } from './restore-text.ts';
import type { RuleStep } from './rule-step.ts';

export interface RemoveChainsOptions {
  readonly access: IptablesAccess;
  /** Only these are asked for: to ask for a table may make it. */
  readonly tables: readonly TableName[];
  readonly isOurs: (table: TableName, chain: string) => boolean;
  readonly signal: AbortSignal;
  /** What the words call these rules: "IPv4 iptables-nft". */
  readonly label: string;
}

export interface RemovedChains {
  /** What was removed, a table each. */
  readonly words: readonly string[];
  readonly chains: readonly string[];
}

export async function removeChains(options: RemoveChainsOptions): Promise<RemovedChains> {
  const { access, tables, isOurs, signal, label } = options;
  const kernel = await readKernelRules(access, { tables, signal });
  const words: string[] = [];
  const removed: string[] = [];
  const steps: RuleStep[] = [];
  for (const [table, chains] of kernel) {
    const found = planRemoval(chains, { table, isOurs: (chain) => isOurs(table, chain) });
    steps.push(...found.steps);
    removed.push(...found.removed);
    if (found.steps.length > 0) words.push(`${label}, table ${table}: ${inWords(found)}`);
  }
  for (const batch of loadBatches(steps)) await access.restore(restoreText(batch).text, { signal });
  return { words, chains: removed };
}

export interface Removal {
  readonly steps: readonly RuleStep[];
  readonly jumps: number;
  readonly removed: readonly string[];
  /** Others lead to these. */
  readonly emptied: readonly string[];
}

export function planRemoval(
  chains: KernelTable,
  options: {
    readonly table: TableName;
    readonly isOurs: (chain: string) => boolean;
    /** Chains whose lines are replaced at the same time: what leads out of them does not count. */
    readonly isRewritten?: (chain: string) => boolean;
  },
): Removal {
  const { table, isOurs, isRewritten = () => false } = options;
  const ours = [...chains].filter(([chain, { isBuiltIn }]) => !isBuiltIn && isOurs(chain));
  const names = new Set(ours.map(([chain]) => chain));
  const jumps: RuleStep[] = [];
  const used = new Set<string>();
  for (const [chain, { isBuiltIn, lines }] of chains) {
    if (names.has(chain) || isRewritten(chain)) continue;
    for (const line of lines) {
      const target = leadsTo(line);
      if (target === undefined || !names.has(target)) continue;
      if (isBuiltIn) jumps.push({ kind: 'line-remove', table, chain, line });
      else used.add(target);
    }
  }
  const removed = ours.map(([chain]) => chain).filter((chain) => !used.has(chain));
  const emptied = ours
    .filter(([chain, { lines }]) => used.has(chain) && lines.length > 0)
    .map(([chain]) => chain);
  return {
    steps: [
      ...jumps,
      ...emptied.map((chain) => ({ kind: 'chain-write' as const, table, chain, lines: [] })),
      ...removed.map((chain) => ({ kind: 'chain-delete' as const, table, chain })),
    ],
    jumps: jumps.length,
    removed,
    emptied,
  };
}

function inWords({ jumps, removed, emptied }: Removal): string {
  const fixed = removed.filter((chain) => portChainRank(chain) === undefined);
  const ofServices = removed.length - fixed.length;
  const chains = [...fixed, ...(ofServices === 0 ? [] : [`${ofServices} of services`])];
  return [
    ...(jumps === 0 ? [] : [`${jumps} ${jumps === 1 ? 'jump' : 'jumps'}`]),
    ...(chains.length === 0 ? [] : [`chains ${chains.join(', ')}`]),
    ...(emptied.length === 0 ? [] : [`emptied, since rules of others lead to them: ${emptied.join(', ')}`]),
  ].join('; ');
}

export function accessLabel(family: Family, variant: 'nft' | 'legacy'): string {
  return `IPv${family} iptables-${variant}`;
}
