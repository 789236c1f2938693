// The tables that iptables has, the chains built into each, and in which order a hook asks them. Not what is in them.

/** In the order in which the kernel asks them at a hook (NF_IP_PRI_*): at `input` nat comes last, which makes no difference. */
export const iptablesTables = ['raw', 'mangle', 'nat', 'filter'] as const;
export type IptablesTableName = (typeof iptablesTables)[number];

/** In the order of iptables-save. */
export const builtinChains: Readonly<Record<IptablesTableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

export function isTableName(name: string): name is IptablesTableName {
  return iptablesTables.some((one) => one === name);
}
