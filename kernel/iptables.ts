// iptables through its own save and restore programs, whole chains at a time. What the rules mean is the caller's business.
import { readFileSync } from 'node:fs';
import { execute } from './exec.ts';
import type { Netns } from './netns.ts';

export type IptablesFamily = 4 | 6;

export interface IptablesOptions {
  readonly family: IptablesFamily;
  readonly netns?: Netns | undefined;
  readonly signal?: AbortSignal;
}

/** One table as iptables-save has it. */
export interface IptablesTable {
  readonly name: string;
  /** Chain -> policy ("ACCEPT", "DROP"), "-" for chains that are not built in. */
  readonly chains: ReadonlyMap<string, string>;
  /** Rule lines ("-A CHAIN …") in order. */
  readonly rules: readonly string[];
}

const safeName = /^[A-Za-z0-9_-]{1,28}$/;

/** Returns the name, or throws SyntaxError: a chain's name has at most 28 characters (XT_EXTENSION_MAXNAMELEN - 1). */
export function chainName(name: string): string {
  if (!safeName.test(name)) throw new SyntaxError(`Cannot use ${JSON.stringify(name)} as an iptables chain`);
  return name;
}

function program(options: IptablesOptions, verb: 'save' | 'restore'): string {
  return options.family === 4 ? `iptables-${verb}` : `ip6tables-${verb}`;
}

/** Reads one table. Throws ProgramError when iptables is missing or refuses. */
export async function saveIptables(table: string, options: IptablesOptions): Promise<IptablesTable> {
  const { stdout } = await execute([program(options, 'save'), '-t', chainName(table)], {
    netns: options.netns,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return parseIptablesSave(stdout, table);
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

/** Whether iptables-legacy or ip6tables-legacy made tables in the namespace. Starts no program. */
export function hasLegacyTables({ netns }: { readonly netns?: Netns | undefined } = {}): boolean {
  const read = () => ['ip_tables_names', 'ip6_tables_names'].some((name) => namesIn(name));
  return netns === undefined ? read() : netns.run(read);
}

function namesIn(file: string): boolean {
  try {
    return readFileSync(`/proc/thread-self/net/${file}`, 'latin1').trim() !== '';
  } catch (error) {
    // The kernel has no ip_tables, or nobody used them yet.
    if (errorCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function errorCodeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Applies text in iptables-restore's format to what it names and leaves the rest (--noflush); waits for the lock (-w). */
export async function restoreIptables(text: string, options: IptablesOptions): Promise<void> {
  await execute([program(options, 'restore'), '--noflush', '-w', '5'], {
    input: text,
    netns: options.netns,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}
