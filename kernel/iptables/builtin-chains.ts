// The tables that iptables has, the chains built into each, and in which order a hook asks them. Not what is in them.
import type { Hook } from '../nft/objects.ts';

/** In the order in which the kernel asks them at most hooks; where nat stands is `tablePriority`. */
export const iptablesTables = ['raw', 'mangle', 'nat', 'filter'] as const;
export type IptablesTableName = (typeof iptablesTables)[number];

/** In the order of iptables-save. */
export const builtinChains: Readonly<Record<IptablesTableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** NF_IP_PRI_* (linux/netfilter_ipv4.h). Sources are translated behind the filters, destinations in front of them. */
export function tablePriority(table: IptablesTableName, hook: Hook): number {
  switch (table) {
    case 'raw':
      return -300;
    case 'mangle':
      return -150;
    case 'nat':
      return hook === 'prerouting' || hook === 'output' ? -100 : 100;
    case 'filter':
      return 0;
    default:
      return table satisfies never;
  }
}

export function isTableName(name: string): name is IptablesTableName {
  return iptablesTables.some((one) => one === name);
}
