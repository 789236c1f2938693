// The nftables tables that flannel leaves (EnableNFTables), told from anybody else's by the text of all that is in them. Pure.
import { chainBaseText } from '../../kernel/nft/chain-text.ts';
import { type Table, type TableId, tableKey } from '../../kernel/nft/objects.ts';
import { ruleText } from '../../kernel/nft/rule-text.ts';

/** It makes both, whichever family the network is of (trafficmngr/nftables). */
export const flannelTables: readonly TableId[] = [
  { family: 'ip', name: 'flannel-ipv4' },
  { family: 'ip6', name: 'flannel-ipv6' },
];

const network = String.raw`[0-9a-f.:]+/\d{1,3}`;
const saddr = `ip6? saddr (!= )?${network}`;
const daddr = `ip6? daddr (!= )?${network}`;

/** By chain: its first line, and its rules, as `nft list` prints them. */
const flannelChains: ReadonlyMap<string, { readonly base: string; readonly rules: readonly RegExp[] }> =
  new Map([
    [
      'postrtg',
      {
        base: 'type nat hook postrouting priority srcnat; policy accept;',
        rules: [
          /^meta mark 0x0*4000 return$/,
          new RegExp(`^${saddr} ${daddr} return$`),
          new RegExp(`^${saddr} ${daddr} masquerade( fully-random)?$`),
        ],
      },
    ],
    [
      'forward',
      {
        base: 'type filter hook forward priority filter; policy accept;',
        rules: [new RegExp(`^ip6? [sd]addr ${network} accept$`)],
      },
    ],
  ]);

/** What in the table is not flannel's; undefined: all is. */
export function foreignInFlannelTable({ family, sets, counters, chains, rules }: Table): string | undefined {
  for (const name of [...sets.keys(), ...counters.keys()]) return `"${name}"`;
  for (const { name, base } of chains.values()) {
    const known = flannelChains.get(name);
    if (known === undefined || base === undefined || chainBaseText(family, base) !== known.base)
      return `chain "${name}"`;
    for (const rule of rules.get(name) ?? []) {
      const text = ruleText(rule, family);
      if (!known.rules.some((form) => form.test(text))) return `rule "${text}" of chain "${name}"`;
    }
  }
  return undefined;
}

export interface FoundTables {
  readonly removable: readonly Table[];
  readonly kept: readonly { readonly table: string; readonly why: string }[];
}

export function findFlannelTables(tables: Iterable<Table>): FoundTables {
  const removable: Table[] = [];
  const kept: { readonly table: string; readonly why: string }[] = [];
  for (const table of tables) {
    const foreign = foreignInFlannelTable(table);
    if (foreign === undefined) removable.push(table);
    else kept.push({ table: tableKey(table), why: `${foreign} is not flannel's` });
  }
  return { removable, kept };
}
