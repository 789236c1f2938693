// Chooses what carries our rules, nftables or iptables, and takes away what the other left from an earlier choice.
import type { Netns } from '../kernel/netns.ts';
import { openNftDriver } from '../kernel/nft/driver.ts';
import { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import type { Firewall } from './firewall.ts';
import { createIptablesFirewall } from './iptables-firewall.ts';
import type { MadeRecord } from './made-record.ts';
import { createNftFirewall } from './nft-firewall.ts';

export interface OpenFirewallOptions {
  readonly netns?: Netns | undefined;
  readonly masquerade: 'nftables' | 'iptables' | 'none';
  readonly made: MadeRecord;
  /** Of somebody else in this process who changes the ruleset. */
  readonly beside?: SeenGeneration | undefined;
}

/** Our nftables table is looked for whatever was chosen; iptables only if it was: its programs make tables by being asked. */
export function openFirewall({ netns, masquerade, made, beside }: OpenFirewallOptions): Firewall {
  const driver = openNftDriver({ netns });
  const nft = createNftFirewall(driver, new SeenGeneration(beside));
  const iptables = createIptablesFirewall({ netns, generation: () => driver.generation() });
  const chosen = masquerade === 'iptables' ? iptables : nft;
  const other = masquerade === 'iptables' ? nft : iptables;
  let isClean = masquerade !== 'iptables' && !made.iptables;
  return {
    async ensure(wanted, options) {
      if (masquerade === 'iptables') made.noteIptables(true);
      const changes = await chosen.ensure(wanted, options);
      if (isClean) return changes;
      const removed = await other.ensure(undefined, { ...options, thorough: true });
      isClean = true;
      made.noteIptables(masquerade === 'iptables');
      return [...changes, ...removed];
    },
    changed: () => chosen.changed(),
    close() {
      nft.close();
      iptables.close();
      driver.close();
    },
  };
}
