// What both ways of masquerading (nftables, iptables) are made from. The rules themselves are in their two files.
import type { Family } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Lease } from '../store/lease.ts';
import type { NetworkConfig } from '../store/network-config.ts';

/** Packets that kube-proxy marked are masqueraded by kube-proxy; twice would spoil their checksums on VXLAN (flannel PR #1681). */
export const kubeProxyMark = 0x4000;

/** Never masqueraded: multicast has no way back. */
export const multicastNetwork: Readonly<Record<Family, Prefix>> = {
  4: Prefix.parse('224.0.0.0/4'),
  6: Prefix.parse('ff00::/8'),
};

export interface MasqueradeFamily {
  readonly family: Family;
  /** The network of all pods. */
  readonly network: Prefix;
  /** This node's part of it. */
  readonly subnet: Prefix;
  /** Destinations that see the pods' own addresses. */
  readonly exclude: readonly Prefix[];
}

export interface MasqueradeInput {
  readonly families: readonly MasqueradeFamily[];
  /** Source ports drawn at random instead of kept: no races for one between flows. */
  readonly randomFully: boolean;
  /** Accept what is forwarded from and to pods. */
  readonly forward: boolean;
}

export interface MasqueradeChoices {
  readonly exclude: readonly Prefix[];
  readonly randomFully: boolean;
  readonly forward: boolean;
}

export function masqueradeInput(
  config: Pick<NetworkConfig, 'ip4' | 'ip6'>,
  own: Pick<Lease, 'subnet' | 'subnet6'>,
  { exclude, randomFully, forward }: MasqueradeChoices,
): MasqueradeInput {
  const families: MasqueradeFamily[] = [];
  for (const family of [4, 6] as const) {
    const range = family === 4 ? config.ip4 : config.ip6;
    const subnet = family === 4 ? own.subnet : own.subnet6;
    if (range === undefined || subnet === undefined) continue;
    families.push({
      family,
      network: range.network,
      subnet,
      exclude: exclude.filter((prefix) => prefix.family === family).map((prefix) => prefix.network()),
    });
  }
  return { families, randomFully, forward };
}
