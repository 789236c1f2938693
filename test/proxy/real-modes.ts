// The modes on the real test node. iptables is two: each of its variants that works on this machine. IPVS works where the kernel has it,
// which that of the development machines has not: there it is tried in virtual machines (test/vm).
import { test } from '@jest/globals';
import { iptablesVariants } from '../../kernel/iptables/variants.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import { openIptablesMode } from '../../proxy/iptables/open-iptables-mode.ts';
import { defaultIpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import { openIpvsMode } from '../../proxy/ipvs/open-ipvs-mode.ts';
import { removeLeftovers } from '../../proxy/leftovers/remove-leftovers.ts';
import { openNftablesMode } from '../../proxy/nftables/open-nftables-mode.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { NodeMode } from './node-proxy.ts';
import type { RealNode } from './real-node.ts';

export const realModeNames = ['nftables', 'iptables-nft', 'iptables-legacy', 'ipvs'] as const;
export type RealModeName = (typeof realModeNames)[number];

export function realMode(name: RealModeName, { node: { netns } }: Pick<RealNode, 'node'>): NodeMode {
  const variant = name === 'iptables-legacy' ? 'legacy' : 'nft';
  const removing = { variant, netns, families: [4, 6], signal: new AbortController().signal } as const;
  const removeOthersThan = (keep: NodeMode['name']) => async () =>
    (await removeLeftovers({ ...removing, keep })).left;
  switch (name) {
    case 'nftables':
      return {
        name,
        open: (family) => openNftablesMode({ family, netns }),
        removeOthers: removeOthersThan(name),
      };
    case 'iptables-nft':
    case 'iptables-legacy':
      return {
        name: 'iptables',
        open: (family) => openIptablesMode({ family, netns, variant }),
        removeOthers: removeOthersThan('iptables'),
      };
    case 'ipvs':
      return {
        name,
        open: (family) => openIpvsMode({ family, netns, variant, choices: defaultIpvsChoices }),
        removeOthers: removeOthersThan(name),
      };
    default:
      return name satisfies never;
  }
}

/** Those that can be tried here. For the others there is a skipped test that says why. */
export async function workingModes(): Promise<readonly RealModeName[]> {
  const variants: readonly string[] = await iptablesVariants();
  const fault = ipvsFault();
  if (fault !== undefined) test.skip(`ipvs: ${fault}`, () => undefined);
  return realModeNames.filter((name) => {
    if (name === 'ipvs') return fault === undefined && variants.includes('nft');
    return name === 'nftables' || variants.includes(name.replace('iptables-', ''));
  });
}

/** Why IPVS cannot be tried here. */
export function ipvsFault(): string | undefined {
  try {
    const access = openIpvs();
    access.servers(4);
    access.close();
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
