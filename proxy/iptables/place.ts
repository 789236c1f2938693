// Where lines of many service ports stand together: chains that every port adds lines to. The order of these lines does not matter,
// since no two match the same packet; only the tail of a chain has to stay its tail.
import {
  externalLocalChain,
  externalServicesChain,
  nodePortChain,
  nodePortsChain,
  proxyFirewallChain,
  servicesChain,
} from './chain-names.ts';

export type TableName = 'filter' | 'nat' | 'mangle';

export const places = {
  services: { table: 'nat', chain: servicesChain },
  nodePorts: { table: 'nat', chain: nodePortsChain },
  refusedServices: { table: 'filter', chain: servicesChain },
  refusedExternals: { table: 'filter', chain: externalServicesChain },
  healthChecks: { table: 'filter', chain: nodePortsChain },
  firewall: { table: 'filter', chain: proxyFirewallChain },
  // Of IPVS mode: ports whose policy for outsiders is not that for this node's own.
  externalLocal: { table: 'nat', chain: externalLocalChain },
  localNodePorts: { table: 'nat', chain: nodePortChain },
} as const satisfies Record<string, { readonly table: TableName; readonly chain: string }>;

export type PlaceName = keyof typeof places;

export const placeNames = Object.keys(places) as readonly PlaceName[];

/** Those that the iptables mode uses. */
export const iptablesPlaces = [
  'services',
  'nodePorts',
  'refusedServices',
  'refusedExternals',
  'healthChecks',
  'firewall',
] as const satisfies readonly PlaceName[];

/** What a chain is known by, since filter and nat have chains of one name. */
export function chainKey(table: TableName, chain: string): string {
  return `${table} ${chain}`;
}
