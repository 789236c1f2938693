// Which chains the iptables mode makes, which are kube-proxy's own. Not KUBE-FIREWALL, KUBE-KUBELET-CANARY and KUBE-IPTABLES-HINT: those
// are kubelet's.
import {
  canaryChain,
  externalServicesChain,
  forwardChain,
  markMasqueradeChain,
  nodePortsChain,
  portChainRank,
  postroutingChain,
  proxyFirewallChain,
  servicesChain,
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
  return fixed[table].has(chain) || (table === 'nat' && portChainRank(chain) !== undefined);
}

export const ownTables: readonly TableName[] = ['filter', 'nat', 'mangle'];
