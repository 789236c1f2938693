// The sets of the IPVS mode: kube-proxy's, by its names, and two of our own for what has no endpoint. What stands in them is
// port-entries.ts's.
import type { Ipset, IpsetType } from '../../kernel/ipset/objects.ts';
import type { Family } from '../../net/address.ts';

const types = {
  'KUBE-LOOP-BACK': 'hash:ip,port,ip',
  'KUBE-CLUSTER-IP': 'hash:ip,port',
  'KUBE-EXTERNAL-IP': 'hash:ip,port',
  'KUBE-EXTERNAL-IP-LOCAL': 'hash:ip,port',
  'KUBE-LOAD-BALANCER': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-LOCAL': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-FW': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-SOURCE-CIDR': 'hash:ip,port,net',
  'KUBE-LOAD-BALANCER-SOURCE-IP': 'hash:ip,port,ip',
  'KUBE-NODE-PORT-TCP': 'bitmap:port',
  'KUBE-NODE-PORT-LOCAL-TCP': 'bitmap:port',
  'KUBE-NODE-PORT-UDP': 'bitmap:port',
  'KUBE-NODE-PORT-LOCAL-UDP': 'bitmap:port',
  'KUBE-NODE-PORT-SCTP-HASH': 'hash:ip,port',
  'KUBE-NODE-PORT-LOCAL-SCTP-HASH': 'hash:ip,port',
  'KUBE-HEALTH-CHECK-NODE-PORT': 'bitmap:port',
  'KUBE-IPVS-IPS': 'hash:ip',
  // Ours: what is refused, and what is dropped.
  'KUBE-NO-ENDPOINTS': 'hash:ip,port',
  'KUBE-NO-LOCAL-ENDPOINTS': 'hash:ip,port',
} as const satisfies Record<string, IpsetType>;

/** By its name in IPv4. */
export type SetName = keyof typeof types;

export const setNames = Object.keys(types) as readonly SetName[];

/** Longest name of a set (IPSET_MAXNAMELEN - 1). */
const longestName = 31;

/** As the kernel has it. */
export function nameOfSet(name: SetName, family: Family): string {
  return family === 4 ? name : name.replace('KUBE-', 'KUBE-6-').slice(0, longestName);
}

/** Entries that a set of kube-proxy's takes. */
export const usualMaxElements = 65_536;

export function setOf(name: SetName, family: Family, maxElements = usualMaxElements): Ipset {
  const type = types[name];
  const isBitmap = type === 'bitmap:port';
  return {
    name: nameOfSet(name, family),
    type,
    family: isBitmap ? 4 : family,
    maxElements: isBitmap ? undefined : maxElements,
  };
}

/** All sets of a family that this mode or kube-proxy's makes. */
export function ownSetNames(family: Family): readonly string[] {
  return setNames.map((name) => nameOfSet(name, family));
}
