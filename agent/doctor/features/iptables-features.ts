// iptables: its programs in both variants, and the matches and targets that Netloom's rules use, each tried by a rule in an empty
// namespace.
import {
  type IptablesFamily,
  type IptablesVariant,
  restoreIptables,
} from '../../../kernel/iptables/programs.ts';
import type { Feature, ProbeRoom, Use } from './feature.ts';

const masquerading: Use = { kind: 'masquerade', name: 'iptables' };
const iptablesMode: Use = { kind: 'proxy-mode', name: 'iptables' };
const ipvsMode: Use = { kind: 'proxy-mode', name: 'ipvs' };
const both = [iptablesMode, ipvsMode];
const packageName = 'iptables';

export const iptablesFeatures: readonly Feature[] = [
  programs({ name: 'iptables', uses: [masquerading, ...both], family: 4, variant: 'default' }),
  programs({ name: 'ip6tables', uses: [masquerading, ...both], family: 6, variant: 'default' }),
  programs({
    name: 'iptables-nft',
    uses: [{ kind: 'some', name: 'cleaning up' }],
    family: 4,
    variant: 'nft',
  }),
  programs({
    name: 'iptables-legacy',
    uses: [{ kind: 'some', name: 'cleaning up' }],
    family: 4,
    variant: 'legacy',
  }),
  words({
    ...{ name: 'iptables-masquerade', title: 'MASQUERADE --random-fully', uses: [masquerading, ...both] },
    modules: ['xt_MASQUERADE', 'xt_nat'],
    table: 'nat',
    rules: ['-A POSTROUTING -j MASQUERADE --random-fully'],
  }),
  words({
    ...{ name: 'iptables-dnat', title: 'DNAT', uses: [iptablesMode], modules: ['xt_nat'], table: 'nat' },
    rules: ['-A PREROUTING -p tcp -j DNAT --to-destination 192.0.2.1:80'],
  }),
  words({
    ...{ name: 'iptables-reject', title: 'REJECT', uses: both, modules: ['ipt_REJECT', 'nf_reject_ipv4'] },
    rules: ['-A FORWARD -j REJECT'],
  }),
  words({
    ...{ name: 'iptables-mark', title: 'mark and MARK', uses: [masquerading, ...both], modules: ['xt_mark'] },
    table: 'mangle',
    rules: ['-A PREROUTING -m mark --mark 0x4000/0x4000 -j MARK --set-xmark 0x4000/0x4000'],
  }),
  words({
    ...{ name: 'iptables-comment', title: 'comment', uses: [masquerading, ...both], modules: ['xt_comment'] },
    rules: ['-A FORWARD -m comment --comment "a b" -j ACCEPT'],
  }),
  words({
    ...{
      name: 'iptables-conntrack',
      title: 'conntrack',
      uses: both,
      modules: ['xt_conntrack', 'nf_conntrack'],
    },
    rules: ['-A FORWARD -m conntrack --ctstate NEW -j ACCEPT'],
  }),
  words({
    ...{ name: 'iptables-addrtype', title: 'addrtype', uses: both, modules: ['xt_addrtype'] },
    rules: ['-A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT'],
  }),
  words({
    ...{ name: 'iptables-statistic', title: 'statistic', uses: [iptablesMode], modules: ['xt_statistic'] },
    rules: ['-A FORWARD -m statistic --mode random --probability 0.5 -j ACCEPT'],
  }),
  words({
    ...{
      name: 'iptables-recent',
      title: 'recent (session affinity)',
      uses: [iptablesMode],
      modules: ['xt_recent'],
    },
    rules: [
      '-A FORWARD -m recent --name probe --rcheck --seconds 10 --reap --mask 255.255.255.255 --rsource -j ACCEPT',
    ],
  }),
];

function programs({
  family,
  variant,
  ...feature
}: Pick<Feature, 'name' | 'uses'> & {
  readonly family: IptablesFamily;
  readonly variant: IptablesVariant;
}): Feature {
  return {
    ...feature,
    title: `program ${feature.name}`,
    group: 'iptables',
    package: packageName,
    modules:
      variant === 'legacy'
        ? [family === 4 ? 'iptable_filter' : 'ip6table_filter']
        : ['nft_compat', 'nf_tables'],
    probe: (room) => restore(room, { family, variant, table: 'filter', rules: [] }),
  };
}

function words({
  table = 'filter',
  rules,
  ...feature
}: Omit<Feature, 'group' | 'probe' | 'package'> & {
  readonly table?: string;
  readonly rules: readonly string[];
}): Feature {
  return {
    ...feature,
    group: 'iptables',
    package: packageName,
    probe: (room) => restore(room, { family: 4, variant: 'default', table, rules }),
  };
}

/** Rejects with what the program or the kernel says of these rules of a table. */
export async function restore(
  { netns, signal }: ProbeRoom,
  where: {
    readonly family: IptablesFamily;
    readonly variant: IptablesVariant;
    readonly table: string;
    readonly rules: readonly string[];
  },
): Promise<void> {
  const { family, variant, table, rules } = where;
  const text = [`*${table}`, ':NETLOOM-PROBE - [0:0]', ...rules, 'COMMIT', ''].join('\n');
  await restoreIptables(text, { family, variant, netns, signal });
}
