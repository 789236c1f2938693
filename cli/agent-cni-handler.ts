// The plugin's work inside of the agent: ties cni/'s handler to what the agent knows of its node. Neither of the two folders
// may know the other.
import type { Agent } from '../agent/agent.ts';
import { gatewayOf } from '../agent/bridge.ts';
import type { CniHandler } from '../agent/run-agent.ts';
import type { AgentSettings } from '../agent/settings.ts';
import { type NodeNetwork, nodeSubnet } from '../agent/wiring/node-network.ts';
import { createCniHandler } from '../cni/cni-handler.ts';
import { subnetsOf } from '../store/lease.ts';

export function agentCniHandler(agent: Agent, settings: Pick<AgentSettings, 'bridge'>): CniHandler {
  return createCniHandler({ node: () => nodeNetwork(agent, settings.bridge) });
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
