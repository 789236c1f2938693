// Faults in the rules of iptables: every line is written anew as a careless hand would. Which there are is breakages.ts.
import type { Breakage } from './breakage.ts';

/** A line that becomes undefined is left out. */
export function rewrittenLines(name: string, change: (line: string) => string | undefined): Breakage {
  return {
    name,
    apply: async ({ iptables }) => {
      for (const family of [4, 6] as const) {
        const access = iptables.access(family);
        for (const table of ['mangle', 'filter', 'nat'] as const) {
          const { chains, rules } = await access.save(table);
          const changed = rules.map(change).filter((line) => line !== undefined);
          // A built-in chain is not emptied by being named.
          const emptyChains = [...chains].map(([chain, policy]) =>
            policy === '-' ? `:${chain} - [0:0]` : `-F ${chain}`,
          );
          await access.restore([`*${table}`, ...emptyChains, ...changed, 'COMMIT', ''].join('\n'));
        }
      }
    },
  };
}
