// What kube-proxy's IPVS mode makes in iptables and ipset beside what its iptables mode makes too. Not the virtual servers.
import type { Family } from '../../net/address.ts';
import type { TableName } from '../iptables/place.ts';

const chains: Readonly<Record<TableName, ReadonlySet<string>>> = {
  filter: new Set([
    'KUBE-NODE-PORT',
    'KUBE-SOURCE-RANGES-FIREWALL',
    'KUBE-IPVS-FILTER',
    'KUBE-IPVS-OUT-FILTER',
  ]),
  nat: new Set(['KUBE-LOAD-BALANCER', 'KUBE-NODE-PORT']),
  mangle: new Set(),
};

export function isIpvsModeChain(table: TableName, chain: string): boolean {
  return chains[table].has(chain);
}

/** By its name alone, whatever the table. */
export function isIpvsOnlyChain(chain: string): boolean {
  return chains.filter.has(chain) || chains.nat.has(chain);
}

const setNames = [
  'KUBE-LOOP-BACK',
  'KUBE-CLUSTER-IP',
  'KUBE-EXTERNAL-IP',
  'KUBE-EXTERNAL-IP-LOCAL',
  'KUBE-LOAD-BALANCER',
  'KUBE-LOAD-BALANCER-LOCAL',
  'KUBE-LOAD-BALANCER-FW',
  'KUBE-LOAD-BALANCER-SOURCE-CIDR',
  'KUBE-LOAD-BALANCER-SOURCE-IP',
  'KUBE-NODE-PORT-TCP',
  'KUBE-NODE-PORT-LOCAL-TCP',
  'KUBE-NODE-PORT-UDP',
  'KUBE-NODE-PORT-LOCAL-UDP',
  'KUBE-NODE-PORT-SCTP-HASH',
  'KUBE-NODE-PORT-LOCAL-SCTP-HASH',
  'KUBE-HEALTH-CHECK-NODE-PORT',
  'KUBE-IPVS-IPS',
];

/** Longest name of a set (IPSET_MAXNAMELEN - 1). */
const longestName = 31;

export function ipvsModeSets(family: Family): readonly string[] {
  if (family === 4) return setNames;
  return setNames.map((name) => name.replace('KUBE-', 'KUBE-6-').slice(0, longestName));
}
