// Keeps the iptables form of our rules in the kernel: reads what is there, and restores what differs, a transaction a table.
// What the rules are is masquerade-iptables.ts.
import { type IptablesAccess, openIptables } from '../kernel/iptables/driver.ts';
import type { Netns } from '../kernel/netns.ts';
import type { Family } from '../net/address.ts';
import type { Firewall } from './firewall.ts';
import type { MasqueradeInput } from './masquerade-input.ts';
import { iptablesRestoreText, masqueradeChains, type OwnChain } from './masquerade-iptables.ts';

export interface IptablesFirewallOptions {
  readonly netns?: Netns | undefined;
  /** The programs', unless given. */
  readonly access?: (family: Family) => IptablesAccess;
  /**
   * The generation of nf_tables, which iptables-nft changes too; undefined where the kernel has none. Rules of
   * iptables-legacy change without a trace: only a thorough look sees that.
   */
  readonly generation?: () => number | undefined;
}

export function createIptablesFirewall(options: IptablesFirewallOptions = {}): Firewall {
  const { netns, access = (family: Family) => openIptables({ family, netns }) } = options;
  const generation = options.generation ?? (() => undefined);
  let wantedText: string | undefined;
  let seen: number | undefined;
  let families: ReadonlySet<Family> = new Set();

  async function ensureFamily(
    family: Family,
    chains: readonly OwnChain[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const iptables = access(family);
    const tables = ['nat', 'filter'] as const;
    const saved = await Promise.all(tables.map((table) => iptables.save(table, { signal })));
    const text = iptablesRestoreText(chains, new Map(saved.map((table) => [table.name, table])));
    if (text === undefined) return [];
    await iptables.restore(text, { signal });
    return tables.filter((table) => text.includes(`*${table}\n`)).map((table) => `IPv${family} ${table}`);
  }

  return {
    async ensure(wanted, { signal, thorough }) {
      const text = JSON.stringify(wanted ?? null);
      // Each look starts programs, so it is not taken in every pass.
      if (text === wantedText && !thorough && generation() === seen) return [];
      const asked = wantedChains(wanted);
      // A family that is not wanted any more still has to be cleaned; one that never was is left alone.
      const touched = wanted === undefined ? ([4, 6] as const) : new Set([...families, ...asked.keys()]);
      const changes: string[] = [];
      for (const family of touched) {
        changes.push(...(await ensureFamily(family, asked.get(family) ?? [], signal)));
      }
      families = new Set(asked.keys());
      wantedText = text;
      seen = generation();
      return changes;
    },
    changed: () => wantedText !== undefined && generation() !== seen,
    close() {},
  };
}

function wantedChains(input: MasqueradeInput | undefined): ReadonlyMap<Family, readonly OwnChain[]> {
  if (input === undefined) return new Map();
  return new Map(input.families.map((family) => [family.family, masqueradeChains(family, input)]));
}
