// Takes away what other proxies and other modes left: called once the running mode's rules stand, so that no connection is cut. It knows
// kube-proxy's three modes and our own two, by name, and touches nothing else.
import { destroyIpset, listIpsets } from '../../kernel/ipset.ts';
import type { IptablesVariant } from '../../kernel/iptables/driver.ts';
import { iptablesVersion } from '../../kernel/iptables/program-version.ts';
import { tablesInUse } from '../../kernel/iptables/tables-in-use.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import type { TableId } from '../../kernel/nft/objects.ts';
import type { Family } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { accessOfKind } from '../iptables/access-of-kind.ts';
import { isOwnChain, ownTables } from '../iptables/own-chains.ts';
import { accessLabel, type RemovedChains, removeChains } from '../iptables/removal.ts';
import type { ProxyModeName } from '../proxy-mode.ts';
import { ipvsModeSets, isIpvsModeChain, isIpvsOnlyChain } from './ipvs-mode.ts';

export interface RemoveLeftoversOptions {
  /** The mode that runs: what it makes stays. */
  readonly keep: ProxyModeName;
  /** Which iptables it runs with, where that is its mode; the system's choice if absent. */
  readonly variant?: IptablesVariant | undefined;
  readonly netns?: Netns | undefined;
  readonly families: readonly Family[];
  readonly signal: AbortSignal;
}

export interface Leftovers {
  /** What was removed, in words. */
  readonly removed: readonly string[];
  /** What was found and could not be removed, with the reason. */
  readonly left: readonly string[];
}

export async function removeLeftovers(options: RemoveLeftoversOptions): Promise<Leftovers> {
  const removed: string[] = [];
  const left: string[] = [];
  const attempt = async (task: () => Promise<Leftovers> | Leftovers) => {
    try {
      const found = await task();
      removed.push(...found.removed);
      left.push(...found.left);
    } catch (error) {
      options.signal.throwIfAborted();
      left.push(errorMessage(error));
    }
  };
  for (const family of options.families) {
    await attempt(() => removeNftTables(family, options));
    let hadIpvs = false;
    for (const kind of ['nft', 'legacy'] as const) {
      await attempt(async () => {
        const { words, chains } = await removeIptables(family, { ...options, kind });
        hadIpvs ||= chains.some(isIpvsOnlyChain);
        return { removed: words, left: [] };
      });
    }
    await attempt(async () => await removeSets(family, { ...options, hadIpvs }));
  }
  return { removed, left };
}

type Place = Pick<RemoveLeftoversOptions, 'keep' | 'netns' | 'variant' | 'signal'>;

function removeNftTables(family: Family, { keep, netns }: Place): Leftovers {
  const nftFamily = family === 4 ? 'ip' : 'ip6';
  const names = ['kube-proxy', ...(keep === 'nftables' ? [] : ['netloom-proxy'])];
  const tables = names.map((name): TableId => ({ family: nftFamily, name }));
  const driver = openNftDriver({ netns });
  try {
    const found = tables.filter((table) => driver.has(table));
    if (found.length === 0) return { removed: [], left: [] };
    const result = driver.apply(found.map((table) => ({ kind: 'table-delete' as const, table })));
    if (result.kind === 'refused')
      throw result.faults[0]?.error ?? new Error('Cannot delete nftables tables');
    return { removed: found.map(({ name }) => `nftables table ${nftFamily} ${name}`), left: [] };
  } finally {
    driver.close();
  }
}

/**
 * kube-proxy's chains have the names of ours: of the iptables that runs in iptables mode, only those of its IPVS mode are taken. The
 * running mode has written anew whatever led to them.
 */
async function removeIptables(
  family: Family,
  { keep, netns, variant, signal, kind }: Place & { readonly kind: 'nft' | 'legacy' },
): Promise<RemovedChains> {
  const there = tablesInUse({ family, variant: kind, netns });
  const tables = ownTables.filter((table) => there.has(table));
  if (tables.length === 0) return { words: [], chains: [] };
  const isKept = keep === 'iptables' && (await iptablesVersion({ family, variant })).kind === kind;
  return await removeChains({
    access: await accessOfKind(kind, { family, netns }),
    tables,
    isOurs: (table, chain) => isIpvsModeChain(table, chain) || (!isKept && isOwnChain(table, chain)),
    signal,
    label: accessLabel(family, kind),
  });
}

/** Sets can only be destroyed when no rule asks them any more. */
async function removeSets(
  family: Family,
  { netns, signal, hadIpvs }: Place & { readonly hadIpvs: boolean },
): Promise<Leftovers> {
  const names = await listIpsets({ netns, signal });
  const where = family === 4 ? 'KUBE-*' : 'KUBE-6-*';
  if (names === undefined) {
    const left = hadIpvs
      ? [
          `IPv${family} sets ${where} of kube-proxy's IPVS mode may be left: there is no program "ipset" to look with`,
        ]
      : [];
    return { removed: [], left };
  }
  const known = new Set(ipvsModeSets(family));
  const removed: string[] = [];
  const left: string[] = [];
  for (const name of names.filter((one) => known.has(one))) {
    try {
      await destroyIpset(name, { netns, signal });
      removed.push(`ipset ${name}`);
    } catch (error) {
      left.push(errorMessage(error));
    }
  }
  return { removed, left };
}
