// Rules of a service port for what IPVS cannot do: it knows no source, and policy Local is for outsiders only. Packets of this node's pods
// and of the node itself are led to all endpoints as the iptables mode does it, where these are not the local ones anyway. All else falls
// out of these chains and meets the virtual server.
import { portChain } from '../iptables/chain-names.ts';
import { choosingLines, endpointChainLines, endpointText } from '../iptables/endpoint-rules.ts';
import {
  checkName,
  firewallLines,
  hasFirewall,
  isExternallyAccessible,
  type PortRules,
  type SharedLine,
  shortCircuitLines,
} from '../iptables/service-rules.ts';
import type { RuleContext } from '../rule-context.ts';
import { type ServicePort, servicePortName } from '../service-port.ts';

const noRules: PortRules = { chains: new Map(), shared: [], endpoints: 0 };

/** Throws SyntaxError when a name of the port cannot stand in a rule. */
export function shortCircuitRules(port: ServicePort, context: RuleContext): PortRules {
  if (!needsShortCircuit(port)) return noRules;
  checkName(port);
  const endpoints = port.clusterEndpoints;
  const chains = new Map<string, readonly string[]>();
  chains.set(portChain('EXT', port), shortCircuitLines(port, context));
  if (hasFirewall(port)) chains.set(portChain('FW', port), firewallLines(port, context));
  chains.set(portChain('SVC', port), choosingLines(port, { endpoints, comments: true }));
  for (const endpoint of endpoints) {
    const { chain, lines } = endpointChainLines(port, { endpoint, comments: true });
    chains.set(chain, lines);
  }
  return { chains, shared: sharedLines(port), endpoints: endpoints.length };
}

/** The endpoints that outsiders get are others than those of this node's pods. */
function needsShortCircuit(port: ServicePort): boolean {
  const { externalPolicy, clusterEndpoints, localEndpoints } = port;
  if (externalPolicy !== 'Local' || clusterEndpoints.length === 0 || !isExternallyAccessible(port))
    return false;
  const local = new Set(localEndpoints.map(endpointText));
  return (
    local.size !== clusterEndpoints.length || clusterEndpoints.some((one) => !local.has(endpointText(one)))
  );
}

function sharedLines(port: ServicePort): readonly SharedLine[] {
  const { protocol, nodePort } = port;
  const name = servicePortName(port);
  const external = portChain('EXT', port);
  const balancer = hasFirewall(port) ? portChain('FW', port) : external;
  const match = `-m ${protocol} -p ${protocol}`;
  const line = (what: string, address: { toString(): string }, chain: string): SharedLine => ({
    place: 'externalLocal',
    line: `-m comment --comment "${name} ${what}" ${match} -d ${address} --dport ${port.port} -j ${chain}`,
  });
  // Where an address is both, the balancer's guard holds.
  const guarded = new Set(port.loadBalancerIps.map(String));
  return [
    ...port.externalIps
      .filter((address) => !guarded.has(address.toString()))
      .map((address) => line('external IP', address, external)),
    ...port.loadBalancerIps.map((address) => line('loadbalancer IP', address, balancer)),
    ...(nodePort === undefined
      ? []
      : [
          {
            place: 'localNodePorts' as const,
            line: `-m comment --comment ${name} ${match} --dport ${nodePort} -j ${external}`,
          },
        ]),
  ];
}
