// The plugin's work inside of the agent: ties cni/'s handler to what the agent knows of its node. Neither of the two folders
// may know the other.
import type { Agent } from '../agent/agent.ts';
import { gatewayOf } from '../agent/bridge.ts';
import type { CniHandler } from '../agent/cni-route.ts';
import { reclaimDead } from '../agent/reclaim.ts';
import type { AgentSettings } from '../agent/settings.ts';
import { type NodeNetwork, nodeSubnet } from '../agent/wiring/node-network.ts';
import type { PodFirewall } from '../agent/wiring/pod-firewall.ts';
import { createCniHandler } from '../cni/cni-handler.ts';
import { networkName } from '../cni/conflist.ts';
import type { Logger } from '../runtime/log.ts';
import { subnetsOf } from '../store/lease.ts';

export interface AgentCniOptions {
  readonly settings: Pick<AgentSettings, 'bridge' | 'stateDirectory' | 'runDirectory' | 'ipamDirectory'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly firewall: PodFirewall;
}

/** Milliseconds between looks for DELs that were queued while we did not answer. */
const replayInterval = 30_000;

/** Runs what is queued and collects what is dead now, and what is queued from time to time until it is closed. */
export function agentCniHandler(agent: Agent, { settings, log, firewall }: AgentCniOptions): CniHandler {
  const handler = createCniHandler({
    node: () => nodeNetwork(agent, settings.bridge),
    stateDirectory: settings.stateDirectory,
    firewall,
    prepare: (wiring) => reclaimDead({ ...settings, network: networkName, wiring, log }),
    report: (problem) => log.warn(problem),
  });
  const timer = setInterval(() => void handler.replay(), replayInterval);
  void handler.prepare();
  return Object.assign(handler.bind(undefined), {
    async close() {
      clearInterval(timer);
      await handler.close();
    },
  });
}

/** Undefined until the agent has a lease and has worked out the node's state. */
function nodeNetwork(agent: Agent, bridge: string): NodeNetwork | undefined {
  const { lease, desired } = agent.state.pass ?? {};
  if (lease === undefined || desired === undefined) return undefined;
  return {
    bridge,
    mtu: desired.mtu,
    subnets: subnetsOf(lease).map((subnet) => nodeSubnet(gatewayOf(subnet))),
  };
}
