// What the rules of one family depend on, from the options and the node's addresses. Pure.
import type { RouteState } from '../kernel/route/objects.ts';
import type { Family } from '../net/address.ts';
import { nodeAddresses } from './node-addresses.ts';
import { resolveNodePortAddresses } from './node-port-addresses.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { RuleContext } from './rule-context.ts';

export interface RuleContextInput {
  readonly family: Family;
  readonly state: RouteState;
  /** The kernel lets packets outside of the TCP window pass. */
  readonly isTcpLiberal: boolean;
}

export function ruleContextOf(
  options: ProxyOptions,
  { family, state, isTcpLiberal }: RuleContextInput,
): RuleContext {
  const { all: nodeIps, primary } = nodeAddresses(state, { family, nodeIps: options.nodeIps });
  const { nodePortIps, localhost } = resolveNodePortAddresses({
    addresses: options.nodePortAddresses,
    family,
    nodeIps,
    primary,
  });
  return {
    family,
    nodeIps,
    nodePortIps,
    localhostNodePorts: options.localhostNodePorts && localhost,
    localDetector: options.localDetectors[family],
    masqueradeAll: options.masqueradeAll,
    masqueradeMark: options.masqueradeMark,
    serviceNetworks: options.serviceNetworks.filter((network) => network.family === family),
    dropInvalid: options.mode === 'iptables' && !isTcpLiberal,
  };
}
