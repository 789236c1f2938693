// Which tables of iptables are there, as the kernel says. To ask a program instead would make them. Not what is in them.
import type { Family } from '../../net/address.ts';
import { isNotSupported, KernelError } from '../kernel-error.ts';
import type { Netns } from '../netns.ts';
import { openNftDriver } from '../nft/driver.ts';
import { iptablesTables } from './builtin-chains.ts';
import { legacyTables } from './legacy-tables.ts';

export function tablesInUse(options: {
  readonly family: Family;
  readonly variant: 'nft' | 'legacy';
  readonly netns?: Netns | undefined;
}): ReadonlySet<string> {
  return options.variant === 'nft' ? nftTables(options) : new Set(legacyTables(options));
}

interface Place {
  readonly family: Family;
  readonly netns?: Netns | undefined;
}

function nftTables({ family, netns }: Place): ReadonlySet<string> {
  try {
    const driver = openNftDriver({ netns });
    try {
      const nftFamily = family === 4 ? 'ip' : 'ip6';
      return new Set(iptablesTables.filter((name) => driver.has({ family: nftFamily, name })));
    } finally {
      driver.close();
    }
  } catch (error) {
    // A kernel without nf_tables: nfnetlink calls the question invalid.
    if (isNotSupported(error) || (error instanceof KernelError && error.code === 'EINVAL')) return new Set();
    throw error;
  }
}
