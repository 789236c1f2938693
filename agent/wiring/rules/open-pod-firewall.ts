// Carries the rules of pods where each pod's record says: nftables or iptables. Neither is started before a pod needs it.

import { hasLegacyTables } from '../../../kernel/iptables/legacy-tables.ts';
import { isNotSupported, KernelError } from '../../../kernel/kernel-error.ts';
import type { Netns } from '../../../kernel/netns.ts';
import { openNftDriver } from '../../../kernel/nft/driver.ts';
import { SeenGeneration } from '../../../kernel/nft/seen-generation.ts';
import type { NftDriver } from '../../../kernel/nft/step.ts';
import type { PodFirewall } from '../pod-firewall.ts';
import { hasRules, type PodRules } from '../pod-rules.ts';
import { createIptablesPodFirewall } from './iptables-pod-firewall.ts';
import { createNftPodFirewall } from './nft-pod-firewall.ts';
import { podTableIds } from './nft-tables.ts';

/** iptables' table of NAT: in nf_tables when it is iptables-nft's. */
const iptablesTables = [
  { family: 'ip', name: 'nat' },
  { family: 'ip6', name: 'nat' },
] as const;

export interface OpenPodFirewallOptions {
  readonly netns?: Netns | undefined;
  /** Of somebody else in this process who changes the ruleset: what either does is no news to the other. */
  readonly beside?: SeenGeneration | undefined;
}

export function openPodFirewall({ netns, beside }: OpenPodFirewallOptions = {}): PodFirewall {
  const seen = new SeenGeneration(beside);
  let opened: NftDriver | undefined;
  const driver = (): NftDriver => {
    opened ??= openNftDriver({ netns });
    return opened;
  };
  const generation = () => withoutNft(() => driver().generation(), undefined);
  const nft = lazily(() => createNftPodFirewall({ netns, driver: driver(), seen }));
  const iptables = lazily(() => createIptablesPodFirewall({ netns, generation, seen }));
  /** What an earlier process may have left in iptables is looked for once. */
  let iptablesInUse: boolean | undefined;

  return {
    async add(rules) {
      const { inNft, inIptables } = split(rules);
      if (inNft !== undefined) await nft().add(inNft);
      if (inIptables === undefined) return;
      iptablesInUse = true;
      try {
        await iptables().add(inIptables);
      } catch (error) {
        if (inNft !== undefined) await nft().remove(inNft);
        throw error;
      }
    },
    async remove(rules) {
      const { inNft, inIptables } = split(rules);
      if (inNft !== undefined) await nft().remove(inNft);
      if (inIptables !== undefined) await iptables().remove(inIptables);
    },
    async check(rules) {
      const { inNft, inIptables } = split(rules);
      return [
        ...(inNft === undefined ? [] : await nft().check(inNft)),
        ...(inIptables === undefined ? [] : await iptables().check(inIptables)),
      ];
    },
    async ensure(wanted) {
      const parts = wanted.map(split);
      const inNft = parts.map((part) => part.inNft).filter((part) => part !== undefined);
      const inIptables = parts.map((part) => part.inIptables).filter((part) => part !== undefined);
      const now = generation();
      if (now !== undefined) seen.looked(now);
      const changes = [...(inNft.length > 0 || hasPodTables(driver) ? await nft().ensure(inNft) : [])];
      iptablesInUse ??=
        hasLegacyTables({ netns }) ||
        iptablesTables.some((table) => withoutNft(() => driver().has(table), false));
      if (inIptables.length === 0 && !iptablesInUse) return changes;
      changes.push(...(await iptables().ensure(inIptables)));
      iptablesInUse = inIptables.length > 0;
      return changes;
    },
    changed() {
      const now = generation();
      return now !== undefined && seen.differs(() => now);
    },
    close: () => opened?.close(),
  };
}

interface SplitRules {
  readonly inNft: PodRules | undefined;
  readonly inIptables: PodRules | undefined;
}

/** iptables sees no frames: the check of their sources is an nftables table of family bridge whatever the backend. */
function split(rules: PodRules): SplitRules {
  if (!hasRules(rules)) return { inNft: undefined, inIptables: undefined };
  if (rules.backend === 'nftables') return { inNft: rules, inIptables: undefined };
  const routed: PodRules = { ...rules, spoofCheck: undefined };
  return {
    inNft: rules.spoofCheck === undefined ? undefined : { ...rules, ports: [], masquerade: false },
    inIptables: hasRules(routed) ? routed : undefined,
  };
}

/** Whether any table of ours for pods is there: two short questions to the kernel. */
export function hasPodTables(driver: () => NftDriver): boolean {
  return withoutNft(() => podTableIds.some((table) => driver().has(table)), false);
}

/** What stands in for an answer where the kernel has no nf_tables: nfnetlink then calls the question invalid. */
function withoutNft<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch (error) {
    if (isNotSupported(error) || (error instanceof KernelError && error.code === 'EINVAL')) return otherwise;
    throw error;
  }
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
