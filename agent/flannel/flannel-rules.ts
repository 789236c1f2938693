// Takes away the firewall rules that flannel left on a node that it handed over: they outlive flanneld, would masquerade beside ours,
// and know nothing of what ours exclude. Only what is flannel's to the letter, and only once ours are in place, so that there is no
// moment without. Whether they are flannel's is flannel-chains.ts's and flannel-tables.ts's.
import { openIptables } from '../../kernel/iptables/driver.ts';
import { legacyTables } from '../../kernel/iptables/legacy-tables.ts';
import { savedByAnyVariant } from '../../kernel/iptables/variants.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { hasChain } from '../../kernel/nft/has-chain.ts';
import { tableKey } from '../../kernel/nft/objects.ts';
import { generationAfter } from '../../kernel/nft/step.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { FirewallOptions } from '../firewall.ts';
import { findFlannelChain, flannelChainNames } from './flannel-chains.ts';
import { findFlannelTables, flannelTables } from './flannel-tables.ts';

export interface FlannelLeftovers {
  /** What was taken away, in words. */
  readonly removed: readonly string[];
  /** What was found and stays, with the reason. */
  readonly left: readonly string[];
}

export interface FlannelRules {
  /** To be called once our own rules are in place. Rejects only when the signal aborts: who cannot read leaves all as it is. */
  takeAway(options: FirewallOptions): Promise<FlannelLeftovers>;
}

const nothing: FlannelLeftovers = { removed: [], left: [] };

export function createFlannelRules({ netns }: { readonly netns?: Netns | undefined } = {}): FlannelRules {
  let isDone = false;
  let hasLooked = false;
  return {
    async takeAway({ thorough, signal }) {
      if (isDone || (hasLooked && !thorough)) return nothing;
      const found = await look({ netns, signal });
      hasLooked = true;
      // A flanneld that still runs puts its chains back within seconds: only a look that finds none is the last.
      isDone = found.removed.length === 0;
      return found;
    },
  };
}

interface Place {
  readonly netns: Netns | undefined;
  readonly signal: AbortSignal;
}

async function look(place: Place): Promise<FlannelLeftovers> {
  const removed: string[] = [];
  const left: string[] = [];
  const attempt = async (task: () => Promise<FlannelLeftovers> | FlannelLeftovers): Promise<void> => {
    try {
      const found = await task();
      removed.push(...found.removed);
      left.push(...found.left);
    } catch (error) {
      place.signal.throwIfAborted();
      left.push(errorMessage(error));
    }
  };
  await attempt(() => removeTables(place));
  for (const family of [4, 6] as const)
    for (const chain of flannelChainNames) await attempt(() => removeChain({ ...chain, family }, place));
  return { removed, left };
}

function removeTables({ netns }: Place): FlannelLeftovers {
  const driver = openNftDriver({ netns });
  try {
    if (!flannelTables.some((table) => driver.has(table))) return nothing;
    const { state, generation } = driver.read(flannelTables);
    const { removable, kept } = findFlannelTables(state.values());
    // Refused when somebody changed the ruleset since it was read: the next look is at what he made.
    generationAfter(
      driver.apply(
        removable.map((table) => ({ kind: 'table-delete', table })),
        { generation },
      ),
    );
    return {
      removed: removable.map((table) => `nftables table ${tableKey(table)}`),
      left: kept.map(({ table, why }) => `nftables table ${table}: ${why}`),
    };
  } finally {
    driver.close();
  }
}

interface ChainPlace {
  readonly family: 4 | 6;
  readonly table: string;
  readonly chain: string;
}

async function removeChain({ family, table, chain }: ChainPlace, place: Place): Promise<FlannelLeftovers> {
  const { netns } = place;
  // Programs are started only where there may be something: to ask them may make tables.
  const isThere =
    hasChain({ family: family === 4 ? 'ip' : 'ip6', name: table }, chain, { netns }) ||
    legacyTables({ family, netns }).includes(table);
  if (!isThere) return nothing;
  const removed: string[] = [];
  const left: string[] = [];
  for (const { variant, table: saved } of await savedByAnyVariant(table, { ...place, family })) {
    const found = findFlannelChain(saved);
    const name = `iptables chain ${chain} (IPv${family} ${table}, ${variant})`;
    if (found.kind === 'kept') left.push(`${name}: ${found.why}`);
    if (found.kind !== 'removable') continue;
    await openIptables({ family, netns, variant }).restore(found.text, { signal: place.signal });
    removed.push(name);
  }
  return { removed, left };
}
