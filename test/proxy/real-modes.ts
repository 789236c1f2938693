// The modes on the real test node. iptables is two: each of its variants that works on this machine.
import { iptablesVariants } from '../../kernel/iptables/variants.ts';
import { openIptablesMode } from '../../proxy/iptables/open-iptables-mode.ts';
import { openNftablesMode } from '../../proxy/nftables/open-nftables-mode.ts';
import type { NodeMode } from './node-proxy.ts';
import type { RealNode } from './real-node.ts';

export const realModeNames = ['nftables', 'iptables-nft', 'iptables-legacy'] as const;
export type RealModeName = (typeof realModeNames)[number];

export function realMode(name: RealModeName, { node: { netns } }: RealNode): NodeMode {
  if (name === 'nftables') return { name: 'nftables', open: (family) => openNftablesMode({ family, netns }) };
  const variant = name === 'iptables-nft' ? 'nft' : 'legacy';
  return { name: 'iptables', open: (family) => openIptablesMode({ family, netns, variant }) };
}

/** Those that can be tried here. */
export async function workingModes(): Promise<readonly RealModeName[]> {
  const variants: readonly string[] = await iptablesVariants();
  return realModeNames.filter(
    (name) => name === 'nftables' || variants.includes(name.replace('iptables-', '')),
  );
}
