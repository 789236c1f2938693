// The names of kube-proxy's chains: fixed ones, and those of service ports and endpoints, which are hashes. kubelet's are not among
// them, but for KUBE-FIREWALL, which both make.
import { createHash } from 'node:crypto';
import { type ServicePort, servicePortName } from '../service-port.ts';

export const servicesChain = 'KUBE-SERVICES';
export const nodePortsChain = 'KUBE-NODEPORTS';
export const externalServicesChain = 'KUBE-EXTERNAL-SERVICES';
export const forwardChain = 'KUBE-FORWARD';
export const proxyFirewallChain = 'KUBE-PROXY-FIREWALL';
export const postroutingChain = 'KUBE-POSTROUTING';
export const markMasqueradeChain = 'KUBE-MARK-MASQ';
export const canaryChain = 'KUBE-PROXY-CANARY';
/** kubelet's as well: made where it is missing, never flushed, never removed. */
export const kubeletFirewallChain = 'KUBE-FIREWALL';

// Of IPVS mode alone.
export const nodePortChain = 'KUBE-NODE-PORT';
export const loadBalancerChain = 'KUBE-LOAD-BALANCER';
export const sourceRangesChain = 'KUBE-SOURCE-RANGES-FIREWALL';
export const ipvsFilterChain = 'KUBE-IPVS-FILTER';
/** kube-proxy's, not ours. */
export const ipvsOutFilterChain = 'KUBE-IPVS-OUT-FILTER';
/** Ours, not kube-proxy's. */
export const externalLocalChain = 'KUBE-EXTERNAL-LOCAL';

export type PortChainKind = 'SVC' | 'SVL' | 'EXT' | 'FW';

/** KUBE-XLB: what kube-proxy before 1.24 made. In the order in which chains lead to each other. */
const portChainPrefixes = ['KUBE-FW-', 'KUBE-XLB-', 'KUBE-EXT-', 'KUBE-SVC-', 'KUBE-SVL-', 'KUBE-SEP-'];

/** Where a chain of a service port or endpoint stands among these: it leads only to later ones. Undefined: it is none of them. */
export function portChainRank(chain: string): number | undefined {
  const rank = portChainPrefixes.findIndex((prefix) => chain.startsWith(prefix));
  return rank === -1 ? undefined : rank;
}

type NamedPort = Pick<ServicePort, 'namespace' | 'service' | 'portName' | 'protocol'>;

export function portChain(kind: PortChainKind, port: NamedPort): string {
  return `KUBE-${kind}-${hash(servicePortName(port) + port.protocol)}`;
}

/** `endpoint` is "10.180.0.1:80" or "[fd00::1]:80". */
export function endpointChain(port: NamedPort, endpoint: string): string {
  return `KUBE-SEP-${hash(servicePortName(port) + port.protocol + endpoint)}`;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The first 16 characters of the SHA-256 in base32 (RFC 4648): its first 80 bits. */
function hash(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  let name = '';
  for (let i = 0; i < 16; i++) {
    const bit = i * 5;
    const pair = digest.readUInt16BE(bit >> 3);
    name += alphabet[(pair >> (11 - (bit & 7))) & 31];
  }
  return name;
}
