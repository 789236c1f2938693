// Whether anybody uses iptables-legacy's tables, as the kernel says. Not what is in them.
import { readFileSync } from 'node:fs';
import type { Netns } from '../netns.ts';

const namesFile = { 4: 'ip_tables_names', 6: 'ip6_tables_names' } as const;

/** Whether iptables-legacy or ip6tables-legacy made tables in the namespace. Starts no program. */
export function hasLegacyTables({ netns }: { readonly netns?: Netns | undefined } = {}): boolean {
  return ([4, 6] as const).some((family) => legacyTables({ family, netns }).length > 0);
}

/** Names of the tables that iptables-legacy (ip6tables-legacy) made in the namespace. Starts no program. */
export function legacyTables({
  family,
  netns,
}: {
  readonly family: 4 | 6;
  readonly netns?: Netns | undefined;
}): readonly string[] {
  const read = () => namesIn(namesFile[family]);
  return netns === undefined ? read() : netns.run(read);
}

function namesIn(file: string): readonly string[] {
  try {
    return readFileSync(`/proc/thread-self/net/${file}`, 'latin1')
      .split('\n')
      .filter((name) => name !== '');
  } catch (error) {
    // The kernel has no ip_tables, or nobody used them yet.
    if (errorCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function errorCodeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
