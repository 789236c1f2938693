// The iptables mode of one family on this machine's kernel: finds out which iptables there is, watches what it writes to, and cleans up
// in both of iptables' worlds.
import { type IptablesVariant, openIptables } from '../../kernel/iptables/driver.ts';
import { iptablesVersion, knowsRandomFully } from '../../kernel/iptables/program-version.ts';
import { tryWatchRules } from '../../kernel/iptables/rule-watch.ts';
import { tablesInUse } from '../../kernel/iptables/tables-in-use.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { Poller } from '../../kernel/poller.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import type { Family } from '../../net/address.ts';
import { accessOfKind } from './access-of-kind.ts';
import { createIptablesMode, type IptablesProxyMode } from './iptables-mode.ts';
import { isOwnChain, ownTables } from './own-chains.ts';
import { accessLabel, removeChains } from './removal.ts';

export interface OpenIptablesModeOptions {
  readonly family: Family;
  readonly netns?: Netns | undefined;
  /** The system's choice if absent. */
  readonly variant?: IptablesVariant | undefined;
  readonly poller?: Poller | undefined;
}

/** Throws ProgramError when iptables is missing. */
export async function openIptablesMode(options: OpenIptablesModeOptions): Promise<IptablesProxyMode> {
  const { family, netns, variant, poller } = options;
  const version = await iptablesVersion({ family, variant });
  const isNft = version.kind === 'nft';
  return createIptablesMode({
    access: openIptables({ family, netns, variant }),
    watch: isNft ? tryWatchRules({ family, netns, tables: ownTables, mark: 'KUBE-', poller }) : undefined,
    inBatches: isNft,
    randomFully: knowsRandomFully(version),
    allowRouteLocalnet: () => allowRouteLocalnet(netns),
    cleanUp: async () => await removeOwnChains({ family, netns }),
  });
}

const routeLocalnet = 'net/ipv4/conf/all/route_localnet';

function allowRouteLocalnet(netns: Netns | undefined): void {
  if (readSysctl(routeLocalnet, { netns }) !== '1') writeSysctl(routeLocalnet, '1', { netns });
}

export interface RemoveOwnChainsOptions {
  readonly family: Family;
  readonly netns?: Netns | undefined;
  /** Both if absent. */
  readonly variants?: readonly ('nft' | 'legacy')[];
  readonly signal?: AbortSignal;
}

/** Removes what this mode or kube-proxy's made, in words. route_localnet stays: kubelet's rule stays too, and others may count on it. */
export async function removeOwnChains(options: RemoveOwnChainsOptions): Promise<readonly string[]> {
  const { family, netns, variants = ['nft', 'legacy'], signal = new AbortController().signal } = options;
  const words: string[] = [];
  for (const variant of variants) {
    const there = tablesInUse({ family, variant, netns });
    if (there.size === 0) continue;
    words.push(
      ...(
        await removeChains({
          access: await accessOfKind(variant, { family, netns }),
          tables: ownTables.filter((table) => there.has(table)),
          isOurs: isOwnChain,
          signal,
          label: accessLabel(family, variant),
        })
      ).words,
    );
  }
  return words;
}
