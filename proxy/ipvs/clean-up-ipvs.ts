// Takes away all that an IPVS mode made in one family, without opening the mode: that would load modules and set sysctls.
import { openIpset } from '../../kernel/ipset/driver.ts';
import { isWithoutIpset } from '../../kernel/ipset/refusal.ts';
import { tablesInUse } from '../../kernel/iptables/tables-in-use.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { Family } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import { accessOfKind } from '../iptables/access-of-kind.ts';
import { ownTables } from '../iptables/own-chains.ts';
import { accessLabel, removeChains } from '../iptables/removal.ts';
import { isChainOfIpvs, type RemovedIpvs, removeIpvs } from './remove-ipvs.ts';
import { serviceLinkName } from './service-link.ts';
import { ownSetNames } from './set-names.ts';

interface Place {
  readonly family: Family;
  readonly netns?: Netns | undefined;
}

export interface IpvsRemovalOptions extends Place {
  /** Virtual servers in these are others'. */
  readonly excludePrefixes: readonly Prefix[];
  /** As of removeIpvs. */
  readonly when: 'now' | 'idle';
  /** Also what of iptables the modes share; without it the sets must not be asked by rules any more. */
  readonly rules: boolean;
}

/** Does nothing when nothing is there. */
export async function cleanUpIpvs(options: IpvsRemovalOptions): Promise<RemovedIpvs> {
  const { family, netns, excludePrefixes, when, rules } = options;
  const ipset = openIpset({ netns });
  const route = openRouteDriver({ netns });
  try {
    return await removeIpvs({
      family,
      ipset,
      route,
      ipvs: () => openIpvs({ netns }),
      excludePrefixes,
      when,
      removeRules: rules ? async () => await removeIpvsRules({ family, netns }) : undefined,
    });
  } finally {
    ipset.close();
    route.close();
  }
}

/** Whether an IPVS mode was here: its link or its sets are. */
export function hasIpvsTraces({ family, netns }: Place): boolean {
  const ipset = openIpset({ netns });
  const route = openRouteDriver({ netns });
  try {
    if (route.link(serviceLinkName) !== undefined) return true;
    const own = new Set(ownSetNames(family));
    return ipset.headers().some(({ name }) => own.has(name));
  } catch (error) {
    if (isWithoutIpset(error)) return false;
    throw error;
  } finally {
    ipset.close();
    route.close();
  }
}

/** Of both of iptables' worlds, in words. */
export async function removeIpvsRules({ family, netns }: Place): Promise<readonly string[]> {
  const words: string[] = [];
  for (const kind of ['nft', 'legacy'] as const) {
    const there = tablesInUse({ family, variant: kind, netns });
    if (there.size === 0) continue;
    const removed = await removeChains({
      access: await accessOfKind(kind, { family, netns }),
      tables: ownTables.filter((table) => there.has(table)),
      isOurs: isChainOfIpvs,
      signal: new AbortController().signal,
      label: accessLabel(family, kind),
    });
    words.push(...removed.words);
  }
  return words;
}
