// What iptables-save prints, as chains and lines. What a line means is rule-text.ts's business.

/** One table as iptables-save has it. */
export interface IptablesTable {
  readonly name: string;
  /** Chain -> policy ("ACCEPT", "DROP"), "-" for chains that are not built in. */
  readonly chains: ReadonlyMap<string, string>;
  /** Rule lines ("-A CHAIN …") in order. */
  readonly rules: readonly string[];
}

/** Reads the output of iptables-save; counters and comments of the format are dropped. */
export function parseIptablesSave(text: string, table: string): IptablesTable {
  const chains = new Map<string, string>();
  const rules: string[] = [];
  let current: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) current = line.slice(1).trim();
    if (current !== table) continue;
    const chain = /^:(\S+) (\S+)/.exec(line);
    if (chain?.[1] !== undefined && chain[2] !== undefined) chains.set(chain[1], chain[2]);
    if (line.startsWith('-A ')) rules.push(line.trimEnd());
  }
  return { name: table, chains, rules };
}
