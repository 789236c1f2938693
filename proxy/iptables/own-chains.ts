// Which chains the iptables mode and the IPVS mode make, which are kube-proxy's own. Not KUBE-FIREWALL, KUBE-KUBELET-CANARY and KUBE-IPTABLES-HINT: those
// are kubelet's.
import {
  canaryChain,
  externalLocalChain,
  externalServicesChain,
  forwardChain,
  ipvsFilterChain,
  ipvsOutFilterChain,
  loadBalancerChain,
  markMasqueradeChain,
  nodePortChain,
  nodePortsChain,
  portChainRank,
  postroutingChain,
  proxyFirewallChain,
  servicesChain,
  sourceRangesChain,
} from './chain-names.ts';
import type { TableName } from './place.ts';

const fixed: Readonly<Record<TableName, ReadonlySet<string>>> = {
  filter: new Set([
    servicesChain,
    externalServicesChain,
    forwardChain,
    nodePortsChain,
    proxyFirewallChain,
    canaryChain,
  ]),
  nat: new Set([servicesChain, nodePortsChain, postroutingChain, markMasqueradeChain, canaryChain]),
  mangle: new Set([canaryChain]),
};

export function isOwnChain(table: TableName, chain: string): boolean {
  return fixed[table].has(chain) || isPortChain(table, chain);
}

const ofIpvs: Readonly<Record<TableName, ReadonlySet<string>>> = {
  filter: new Set([forwardChain, nodePortChain, proxyFirewallChain, sourceRangesChain, ipvsFilterChain]),
  nat: new Set([
    servicesChain,
    postroutingChain,
    markMasqueradeChain,
    nodePortChain,
    loadBalancerChain,
    externalLocalChain,
  ]),
  mangle: new Set([proxyFirewallChain, sourceRangesChain]),
};

/** A chain that stands when the IPVS mode runs. */
export function isIpvsModeChain(table: TableName, chain: string): boolean {
  return ofIpvs[table].has(chain) || isPortChain(table, chain);
}

/** A chain that only an IPVS mode makes, ours or kube-proxy's. */
export function isIpvsOnlyChain(table: TableName, chain: string): boolean {
  if (isOwnChain(table, chain)) return false;
  return ofIpvs[table].has(chain) || (table === 'filter' && chain === ipvsOutFilterChain);
}

/** A chain that has to go when the IPVS mode runs: of our iptables mode, or of kube-proxy's IPVS mode. */
export function isOldForIpvs(table: TableName, chain: string): boolean {
  return (isOwnChain(table, chain) || isIpvsOnlyChain(table, chain)) && !isIpvsModeChain(table, chain);
}

function isPortChain(table: TableName, chain: string): boolean {
  return table === 'nat' && portChainRank(chain) !== undefined;
}

export const ownTables: readonly TableName[] = ['filter', 'nat', 'mangle'];
