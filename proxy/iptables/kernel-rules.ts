// What iptables has, by table and chain, as read with its save program. What of it is ours is not said here.
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import type { TableName } from './place.ts';

export interface KernelChain {
  /** Not made by anybody: INPUT, POSTROUTING ... */
  readonly isBuiltIn: boolean;
  /** Without "-A CHAIN". */
  readonly lines: readonly string[];
}

export type KernelTable = ReadonlyMap<string, KernelChain>;

export type KernelRules = ReadonlyMap<TableName, KernelTable>;

export async function readKernelRules(
  access: IptablesAccess,
  options: { readonly tables: readonly TableName[]; readonly signal: AbortSignal },
): Promise<KernelRules> {
  const { tables, signal } = options;
  const saved = await Promise.all(tables.map((table) => access.save(table, { signal })));
  const rules = new Map<TableName, KernelTable>();
  tables.forEach((table, i) => {
    const one = saved[i];
    if (one === undefined) return;
    const chains = new Map<string, { readonly isBuiltIn: boolean; readonly lines: string[] }>();
    for (const [chain, policy] of one.chains) chains.set(chain, { isBuiltIn: policy !== '-', lines: [] });
    for (const rule of one.rules) {
      const [, chain = '', line = ''] = /^-A (\S+) ?(.*)$/.exec(rule) ?? [];
      chains.get(chain)?.lines.push(line);
    }
    rules.set(table, chains);
  });
  return rules;
}

/** The chain of somebody's that a line as iptables-save prints it leads to; it may also be a target such as ACCEPT. */
export function leadsTo(line: string): string | undefined {
  return /(?:^| )-[jg] (\S+)$/.exec(line)?.[1];
}
