// Masquerading and forward rules as iptables text: flannel's rules in chains of our own. Pure; iptables-restore is the kernel
// folder's. Lines are spelt as iptables-save prints them, so that what is wanted and what is there compare as text.
import type { IptablesTable } from '../kernel/iptables/save-text.ts';
import {
  kubeProxyMark,
  type MasqueradeFamily,
  type MasqueradeInput,
  multicastNetwork,
} from './masquerade-input.ts';

export const masqueradeChain = 'NETLOOM-POSTRTG';
export const forwardChain = 'NETLOOM-FWD';

/** One chain of ours and the line that leads to it from a built-in one. */
export interface OwnChain {
  readonly table: 'nat' | 'filter';
  readonly chain: string;
  readonly jump: string;
  readonly rules: readonly string[];
}

const jumps = {
  [masqueradeChain]: `-A POSTROUTING -m comment --comment "netloom masquerade" -j ${masqueradeChain}`,
  [forwardChain]: `-A FORWARD -m comment --comment "netloom forward" -j ${forwardChain}`,
} as const;

/** The chains that one family should have. */
export function masqueradeChains(
  family: MasqueradeFamily,
  options: Pick<MasqueradeInput, 'randomFully' | 'forward'>,
): readonly OwnChain[] {
  const { network, subnet, exclude } = family;
  const masquerade = options.randomFully ? 'MASQUERADE --random-fully' : 'MASQUERADE';
  const mark = `0x${kubeProxyMark.toString(16)}`;
  const nat = [
    `-m mark --mark ${mark}/${mark} -j RETURN`,
    // Between pods the source stays.
    `-s ${subnet} -d ${network} -j RETURN`,
    `-s ${network} -d ${subnet} -j RETURN`,
    // What comes to this node's pods from elsewhere keeps its source as well.
    `! -s ${network} -d ${subnet} -j RETURN`,
    ...exclude.map((prefix) => `-s ${network} -d ${prefix} -j RETURN`),
    `-s ${network} ! -d ${multicastNetwork[family.family]} -j ${masquerade}`,
    `! -s ${network} -d ${network} -j ${masquerade}`,
  ];
  const forward = [`-s ${network} -j ACCEPT`, `-d ${network} -j ACCEPT`];
  const chains: OwnChain[] = [
    {
      table: 'nat',
      chain: masqueradeChain,
      jump: jumps[masqueradeChain],
      rules: nat.map((rule) => `-A ${masqueradeChain} ${rule}`),
    },
  ];
  if (options.forward) {
    chains.push({
      table: 'filter',
      chain: forwardChain,
      jump: jumps[forwardChain],
      rules: forward.map((rule) => `-A ${forwardChain} ${rule}`),
    });
  }
  return chains;
}

/** What is there, by table name. A table that was never used is empty. */
export type IptablesState = ReadonlyMap<string, IptablesTable>;

/**
 * The text for iptables-restore --noflush that makes the chains as wanted, and takes away those of ours that are not.
 * Undefined when nothing has to change. Each table is one transaction: there is no moment without rules.
 */
export function iptablesRestoreText(wanted: readonly OwnChain[], actual: IptablesState): string | undefined {
  const own = [
    { table: 'nat', chain: masqueradeChain },
    { table: 'filter', chain: forwardChain },
  ] as const;
  const lines: string[] = [];
  for (const { table, chain } of own) {
    const want = wanted.find((one) => one.table === table && one.chain === chain);
    const body = chainLines({ table, chain, want }, actual.get(table));
    if (body.length > 0) lines.push(`*${table}`, ...body, 'COMMIT');
  }
  return lines.length === 0 ? undefined : `${lines.join('\n')}\n`;
}

interface ChainWish {
  readonly table: string;
  readonly chain: string;
  readonly want: OwnChain | undefined;
}

function chainLines({ chain, want }: ChainWish, actual: IptablesTable | undefined): readonly string[] {
  const rules = actual?.rules ?? [];
  const present = actual?.chains.has(chain) ?? false;
  const mine = rules.filter((rule) => rule.startsWith(`-A ${chain} `));
  const leading = rules.filter((rule) => rule.endsWith(` -j ${chain}`));
  const removals = (kept: string | undefined): string[] => {
    let skipped = false;
    return leading.flatMap((rule) => {
      if (rule === kept && !skipped) {
        skipped = true;
        return [];
      }
      return [`-D ${rule.slice('-A '.length)}`];
    });
  };
  if (want === undefined) {
    // A declared chain is emptied, so it can be deleted in the same transaction.
    return present || leading.length > 0 ? [`:${chain} - [0:0]`, ...removals(undefined), `-X ${chain}`] : [];
  }
  const same = mine.length === want.rules.length && mine.every((rule, i) => rule === want.rules[i]);
  const jumped = leading.includes(want.jump);
  const extra = removals(want.jump);
  if (present && same && jumped && extra.length === 0) return [];
  return [`:${chain} - [0:0]`, ...want.rules, ...extra, ...(jumped ? [] : [want.jump])];
}
