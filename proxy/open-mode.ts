// Opens the mode that the options name, family by family, and what it can say beside the modes' common part. Not how a mode works.
import type { Netns } from '../kernel/netns.ts';
import { SeenGeneration } from '../kernel/nft/seen-generation.ts';
import type { Poller } from '../kernel/poller.ts';
import type { Family } from '../net/address.ts';
import { openIptablesMode } from './iptables/open-iptables-mode.ts';
import type { IptablesRules } from './iptables/rule-counts.ts';
import { openIpvsMode } from './ipvs/open-ipvs-mode.ts';
import { type ForeignChanges, watchForeignChanges } from './nftables/foreign-changes.ts';
import { openNftablesMode } from './nftables/open-nftables-mode.ts';
import { proxyTableId } from './nftables/proxy-table.ts';
import type { ProxyMode } from './proxy-mode.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { TrafficCounts } from './traffic-counts.ts';

export interface OpenedMode {
  readonly mode: ProxyMode;
  /** Where the mode counts. */
  readonly traffic?: TrafficCounts;
  /** Where it has rules to count. */
  readonly rules?: () => IptablesRules | undefined;
}

/** Opens a mode for one family after the other. What they share is closed here, after them. */
export interface ModeOpener {
  /** Rejects when the kernel cannot do it, or a program is missing. */
  open(family: Family): Promise<OpenedMode>;
  close(): void;
}

export interface ModeOpenerOptions {
  readonly options: Pick<ProxyOptions, 'mode' | 'families' | 'serviceCounters' | 'ipvs'>;
  readonly netns?: Netns | undefined;
  readonly poller: Poller;
  /** Of somebody else in this process who changes the ruleset. */
  readonly beside?: SeenGeneration | undefined;
}

export function createModeOpener(input: ModeOpenerOptions): ModeOpener {
  const { mode } = input.options;
  switch (mode) {
    case 'nftables':
      return nftablesOpener(input);
    case 'iptables':
      return {
        async open(family) {
          const opened = await openIptablesMode({ ...input, family });
          return { mode: opened, rules: () => opened.ruleCounts() };
        },
        close() {},
      };
    case 'ipvs':
      return {
        async open(family) {
          return { mode: await openIpvsMode({ ...input, family, choices: input.options.ipvs }) };
        },
        close() {},
      };
    default:
      return mode satisfies never;
  }
}

/** One pair of ears for both tables, and one group: what one family changes is nothing foreign to the other. */
function nftablesOpener({ options, netns, poller, beside }: ModeOpenerOptions): ModeOpener {
  const { families, serviceCounters } = options;
  const group = beside ?? new SeenGeneration();
  let foreign: ForeignChanges | undefined;
  return {
    async open(family) {
      foreign ??= watchForeignChanges({ netns, poller, tables: families.map(proxyTableId) });
      const mode = openNftablesMode({ family, netns, foreign, beside: group, serviceCounters });
      return serviceCounters
        ? { mode, traffic: { read: (signal) => mode.readTraffic(signal), totals: mode.serviceTraffic } }
        : { mode };
    },
    close: () => foreign?.close(),
  };
}
