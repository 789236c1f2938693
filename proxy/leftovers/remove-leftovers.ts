// Takes away what other proxies and other modes left: called once the running mode's rules stand, so that no connection is cut. It knows
// kube-proxy's three modes and our own, by name, and touches nothing else.
import type { IptablesVariant } from '../../kernel/iptables/driver.ts';
import { iptablesVersion } from '../../kernel/iptables/program-version.ts';
import { tablesInUse } from '../../kernel/iptables/tables-in-use.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import type { TableId } from '../../kernel/nft/objects.ts';
import type { Family } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { accessOfKind } from '../iptables/access-of-kind.ts';
import { isIpvsOnlyChain, isOldForIpvs, ownTables } from '../iptables/own-chains.ts';
import { accessLabel, type RemovedChains, removeChains } from '../iptables/removal.ts';
import { cleanUpIpvs } from '../ipvs/clean-up-ipvs.ts';
import { isChainOfIpvs } from '../ipvs/remove-ipvs.ts';
import type { ProxyModeName } from '../proxy-mode.ts';

export interface RemoveLeftoversOptions {
  /** The mode that runs: what it makes stays. */
  readonly keep: ProxyModeName;
  /** Which iptables it runs with, where that is its mode; the system's choice if absent. */
  readonly variant?: IptablesVariant | undefined;
  readonly netns?: Netns | undefined;
  readonly families: readonly Family[];
  /** Virtual servers in these are nobody's leftovers. */
  readonly excludePrefixes?: readonly Prefix[] | undefined;
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
    for (const kind of ['nft', 'legacy'] as const) {
      await attempt(async () => {
        const { words } = await removeIptables(family, { ...options, kind });
        return { removed: words, left: [] };
      });
    }
    // After the rules: a set can only be destroyed when none asks it any more.
    await attempt(async () => await removeIpvsMode(family, options));
  }
  return { removed, left };
}

type Place = Pick<RemoveLeftoversOptions, 'keep' | 'netns' | 'variant' | 'signal' | 'excludePrefixes'>;

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
 * kube-proxy's chains have the names of ours: where the running mode has rules, only those are taken that it does not make. It has written
 * anew whatever led to them.
 */
async function removeIptables(
  family: Family,
  { keep, netns, variant, signal, kind }: Place & { readonly kind: 'nft' | 'legacy' },
): Promise<RemovedChains> {
  const there = tablesInUse({ family, variant: kind, netns });
  const tables = ownTables.filter((table) => there.has(table));
  if (tables.length === 0) return { words: [], chains: [] };
  const isKept = keep !== 'nftables' && (await iptablesVersion({ family, variant })).kind === kind;
  return await removeChains({
    access: await accessOfKind(kind, { family, netns }),
    tables,
    isOurs: isKept ? (keep === 'iptables' ? isIpvsOnlyChain : isOldForIpvs) : isChainOfIpvs,
    signal,
    label: accessLabel(family, kind),
  });
}

/**
 * Connections that go through IPVS end in their own time: what has some stays, and is told as left. New ones do not come to it, since the
 * running mode translates them before.
 */
async function removeIpvsMode(
  family: Family,
  { keep, netns, excludePrefixes = [] }: Place,
): Promise<Leftovers> {
  if (keep === 'ipvs') return { removed: [], left: [] };
  return await cleanUpIpvs({ family, netns, excludePrefixes, when: 'idle', rules: false });
}
