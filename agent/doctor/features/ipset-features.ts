// Sets of addresses and what iptables' rules ask of them and of IPVS, each tried in an empty namespace.
import { openIpset } from '../../../kernel/ipset/driver.ts';
import { ipsetTypes } from '../../../kernel/ipset/objects.ts';
import type { Feature, ProbeRoom } from './feature.ts';
import { restore } from './iptables-features.ts';

const mode = { kind: 'proxy-mode', name: 'ipvs' } as const;

/** "hash:ip,port" -> "ip_set_hash_ipport", as the kernel asks for it. */
const typeModules = ipsetTypes.map((type) => `ip_set_${type.replace(':', '_').replaceAll(',', '')}`);

export const ipsetFeatures: readonly Feature[] = [
  {
    ...{ name: 'ipset', title: 'sets of addresses (ipset)', group: 'IPVS', uses: [mode] },
    modules: ['ip_set', ...typeModules],
    probe(room) {
      for (const type of ipsetTypes) makeSet(room, { name: `probe-${ipsetTypes.indexOf(type)}`, type });
    },
  },
  {
    ...{ name: 'iptables-set', title: 'rules that ask sets', group: 'IPVS', uses: [mode] },
    ...{ package: 'iptables', modules: ['ip_set_hash_ipport', 'xt_set'] },
    async probe(room) {
      makeSet(room, { name: 'probe', type: 'hash:ip,port' });
      await restore(room, {
        ...{ family: 4, variant: 'default', table: 'filter' },
        rules: ['-A FORWARD -m set --match-set probe dst,dst -j ACCEPT'],
      });
    },
  },
];

function makeSet(
  { netns }: ProbeRoom,
  { name, type }: { readonly name: string; readonly type: (typeof ipsetTypes)[number] },
): void {
  const ipset = openIpset({ netns });
  try {
    const set = { name, type, family: 4, maxElements: type === 'bitmap:port' ? undefined : 1024 } as const;
    const [result] = ipset.apply([{ kind: 'set-create', set }]);
    if (result?.error !== undefined) throw result.error;
  } finally {
    ipset.close();
  }
}
