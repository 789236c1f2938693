// Netloom's side of the proxy's benchmarks without files and daemon: a tracker and a mode in a namespace, told what a source would tell.

import type { IptablesVariant } from '../../kernel/iptables/driver.ts';
import type { Netns } from '../../kernel/netns.ts';
import { Poller } from '../../kernel/poller.ts';
import { IpAddress } from '../../net/address.ts';
import { openIptablesMode } from '../../proxy/iptables/open-iptables-mode.ts';
import { defaultIpvsChoices } from '../../proxy/ipvs/ipvs-choices.ts';
import { openIpvsMode } from '../../proxy/ipvs/open-ipvs-mode.ts';
import { openNftablesMode } from '../../proxy/nftables/open-nftables-mode.ts';
import type { ModeInput, ProxyMode, SyncReport } from '../../proxy/proxy-mode.ts';
import type { RuleContext } from '../../proxy/rule-context.ts';
import { createServiceTracker, type ServiceTracker } from '../../proxy/service-tracker.ts';
import { type Batch, podNetwork } from './proxy-services.ts';

export const ruleContext: RuleContext = {
  family: 4,
  nodeIps: [IpAddress.parse('172.31.0.1')],
  nodePortIps: 'all',
  localhostNodePorts: false,
  localDetector: { kind: 'prefix', prefix: podNetwork },
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  serviceNetworks: [],
  dropInvalid: true,
};

export interface Rig extends AsyncDisposable {
  readonly tracker: ServiceTracker;
  /** Takes the first batch and programs everything. Throws when a port failed. */
  load(batch: Batch): Promise<SyncReport>;
  /** Takes what changed and programs that. Throws when it made no change. */
  take(batch: Batch): Promise<SyncReport>;
  /** Takes the rules out of the kernel. */
  cleanUp(): Promise<void>;
}

export type RigMode =
  | { readonly kind: 'nftables' }
  | { readonly kind: 'iptables'; readonly variant: IptablesVariant }
  | { readonly kind: 'ipvs' };

/** "ipvs, "; nftables is not named. */
export function modeText(by: RigMode): string {
  switch (by.kind) {
    case 'nftables':
      return '';
    case 'iptables':
      return `iptables-${by.variant}, `;
    case 'ipvs':
      return 'ipvs, ';
    default:
      return by satisfies never;
  }
}

export async function openRig(netns: Netns, by: RigMode): Promise<Rig> {
  const poller = new Poller();
  const mode = await openMode(netns, { by, poller });
  const tracker = createServiceTracker({ family: 4, nodeName: 'bench-node' });
  const { signal } = new AbortController();
  const sync = async (changed: ModeInput['changed']): Promise<SyncReport> => {
    const report = await mode.sync({ ports: tracker.ports, changed, context: ruleContext }, signal);
    for (const error of report.failed.values()) throw error;
    return report;
  };
  return {
    tracker,
    async load(batch) {
      tracker.apply(batch);
      return await sync('all');
    },
    async take(batch) {
      const report = await sync(tracker.apply(batch));
      if (report.full || report.changes === 0)
        throw new RangeError(`That was no change of one service: ${report.changes} changes`);
      return report;
    },
    async cleanUp() {
      await mode.cleanUp();
    },
    async [Symbol.asyncDispose]() {
      mode.close();
      await poller.close();
    },
  };
}

async function openMode(
  netns: Netns,
  { by, poller }: { readonly by: RigMode; readonly poller: Poller },
): Promise<ProxyMode> {
  switch (by.kind) {
    case 'nftables':
      return openNftablesMode({ family: 4, netns, poller, serviceCounters: true });
    case 'iptables':
      return await openIptablesMode({ family: 4, netns, variant: by.variant, poller });
    case 'ipvs':
      return await openIpvsMode({ family: 4, netns, poller, choices: defaultIpvsChoices });
    default:
      return by satisfies never;
  }
}
