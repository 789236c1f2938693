// Opens what a cleanup of this node needs, from the agent's settings, and closes it again. What is taken away is cleanup.ts's.
import type { Netns } from '../kernel/netns.ts';
import { openNftDriver } from '../kernel/nft/driver.ts';
import { openRouteDriver } from '../kernel/route/driver.ts';
import type { LeaseStore } from '../store/lease-store.ts';
import { type LeaseStoreChoice, openLeaseStore } from '../store/open-lease-store.ts';
import { isStoreError } from '../store/store-error.ts';
import { leaseStoreChoice } from '../store/store-settings.ts';
import { addedPeers, createExtensionCarrier } from './carrier/extension-carrier.ts';
import { openExtensionProgram } from './carrier/extension-program.ts';
import { extensionFile } from './carrier/open-carrier.ts';
import { type AddedPeers, type CleanupReport, cleanUp, type UnopenedStore } from './cleanup.ts';
import { createIptablesFirewall } from './iptables-firewall.ts';
import { openMadeRecord } from './made-record.ts';
import { agentTable } from './masquerade-nftables.ts';
import { createNftFirewall } from './nft-firewall.ts';
import { openSysctls } from './node-sysctls.ts';
import { agentSocketPath, extensionOptions } from './run-agent.ts';
import type { AgentSettings } from './settings.ts';
import { AttachmentRecords } from './wiring/attachment-record.ts';
import { hasPodTables, openPodFirewall } from './wiring/rules/open-pod-firewall.ts';
import { ruleOwners } from './wiring/rules/rule-owners.ts';
import { createWiring } from './wiring/wiring.ts';

export interface RunCleanupOptions {
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly netns?: Netns | undefined;
}

/** Throws when the agent of this node still runs, or the kernel cannot be asked. */
export async function runCleanup(
  settings: AgentSettings,
  options: RunCleanupOptions,
): Promise<CleanupReport> {
  const { dryRun, signal, netns } = options;
  const store = await openStore(leaseStoreChoice(settings));
  const route = openRouteDriver({ netns });
  const nft = openNftDriver({ netns });
  const firewall = openPodFirewall({ netns });
  const wiring = createWiring({ netns, firewall });
  const records = new AttachmentRecords(settings);
  try {
    return await cleanUp({
      node: settings.nodeName,
      store,
      route,
      nft: createNftFirewall(nft),
      iptables: createIptablesFirewall({ netns }),
      hasNftTable: () => nft.read([agentTable]).state.size > 0,
      made: openMadeRecord(settings.stateDirectory),
      sysctls: openSysctls(netns),
      attachments: {
        all: () => records.all().records.map(({ attachment }) => attachment),
        remove: (attachment) => wiring.del({ ...settings, attachment, netns: '' }),
        hasRules: async () => hasPodTables(() => nft) || (await ruleOwners({ netns })).length > 0,
        removeRules: async () => void (await firewall.ensure([])),
      },
      extension: addedByExtension(settings, netns),
      stateDirectory: settings.stateDirectory,
      socketPath: agentSocketPath(settings.runDirectory),
      dryRun,
      signal,
    });
  } finally {
    await wiring.close();
    firewall.close();
    nft.close();
    route.close();
    if ('close' in store) await store.close();
  }
}

function addedByExtension(settings: AgentSettings, netns: Netns | undefined): AddedPeers {
  const path = extensionFile(settings.stateDirectory);
  const options = extensionOptions(settings, netns);
  if (options === undefined) return { peers: addedPeers(path) };
  return {
    peers: addedPeers(path),
    async remove(signal) {
      const carrier = createExtensionCarrier({ program: () => openExtensionProgram(options), path });
      return await carrier.finish(signal);
    },
  };
}

/** A store that cannot even be opened, as a file of its settings is gone, keeps the lease; the node is cleaned all the same. */
async function openStore(choice: LeaseStoreChoice): Promise<LeaseStore | UnopenedStore> {
  try {
    return await openLeaseStore(choice);
  } catch (error) {
    if (isStoreError(error)) return { unopened: error };
    throw error;
  }
}
