// The IPVS mode of one family on this machine's kernel: finds out whether it can, sets what IPVS depends on, and watches what it writes.
import { openIpset } from '../../kernel/ipset/driver.ts';
import { type IptablesVariant, openIptables } from '../../kernel/iptables/driver.ts';
import { iptablesVersion, knowsRandomFully } from '../../kernel/iptables/program-version.ts';
import { tryWatchRules } from '../../kernel/iptables/rule-watch.ts';
import { openIpvs } from '../../kernel/ipvs/driver.ts';
import type { IpvsAccess } from '../../kernel/ipvs/objects.ts';
import { hasScheduler, schedulerFault, schedulerModule } from '../../kernel/ipvs/schedulers.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { Poller } from '../../kernel/poller.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { Family } from '../../net/address.ts';
import { openSysctlAccess } from '../conntrack-sysctls.ts';
import { ownTables } from '../iptables/own-chains.ts';
import type { ProxyMode } from '../proxy-mode.ts';
import { removeIpvsRules } from './clean-up-ipvs.ts';
import type { IpvsChoices } from './ipvs-choices.ts';
import { createIpvsMode } from './ipvs-mode.ts';
import { setIpvsSysctls } from './ipvs-sysctls.ts';
import { watchServiceLink } from './link-watch.ts';

export interface OpenIpvsModeOptions {
  readonly family: Family;
  readonly netns?: Netns | undefined;
  /** The system's choice of iptables if absent. */
  readonly variant?: IptablesVariant | undefined;
  readonly poller?: Poller | undefined;
  readonly choices: IpvsChoices;
}

/** Rejects when the kernel has no IPVS, not this scheduler or no sets, and when iptables is missing. */
export async function openIpvsMode(options: OpenIpvsModeOptions): Promise<ProxyMode> {
  const { family, netns, variant, poller, choices } = options;
  const version = await iptablesVersion({ family, variant });
  const isNft = version.kind === 'nft';
  const opened: { close(): void }[] = [];
  const keep = <T extends { close(): void }>(one: T): T => {
    opened.push(one);
    return one;
  };
  const close = () => {
    for (const one of opened.toReversed()) one.close();
  };
  try {
    const ipvs = keep(openIpvs({ netns }));
    checkScheduler(ipvs, choices.scheduler);
    const ipset = keep(openIpset({ netns }));
    // Throws where the kernel has no sets.
    ipset.headers();
    setIpvsSysctls(choices, openSysctlAccess(netns));
    setTimeouts(ipvs, choices);
    return createIpvsMode({
      family,
      ipvs,
      ipset,
      access: openIptables({ family, netns, variant }),
      route: keep(openRouteDriver({ netns })),
      watch: isNft ? tryWatchRules({ family, netns, tables: ownTables, mark: 'KUBE-', poller }) : undefined,
      linkWatch: watchServiceLink({ netns, poller, family }),
      inBatches: isNft,
      randomFully: knowsRandomFully(version),
      choices,
      removeRules: async () => await removeIpvsRules({ family, netns }),
      close,
    });
  } catch (error) {
    close();
    throw error;
  }
}

function checkScheduler(ipvs: IpvsAccess, name: string): void {
  const fault = schedulerFault(name);
  if (fault !== undefined) throw new Error(`Cannot use IPVS: ${fault}`);
  if (!hasScheduler(ipvs, name))
    throw new Error(
      `Cannot use IPVS: this kernel has no scheduler "${name}" (module ${schedulerModule(name)} is missing)`,
    );
}

function setTimeouts(ipvs: IpvsAccess, { timeouts }: IpvsChoices): void {
  const { tcp, tcpFin, udp } = timeouts;
  if (tcp === 0 && tcpFin === 0 && udp === 0) return;
  const now = ipvs.timeouts();
  const isSo = (wanted: number, is: number) => wanted === 0 || wanted === is;
  if (!isSo(tcp, now.tcp) || !isSo(tcpFin, now.tcpFin) || !isSo(udp, now.udp)) ipvs.setTimeouts(timeouts);
}
