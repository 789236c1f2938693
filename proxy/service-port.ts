// One port of one service in one family, with all decided that is the same for every mode: which endpoints traffic of each kind may
// go to. Modes turn it into rules. Source of the decisions: choose-endpoints.ts and service-tracker.ts.
import type { Family, IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { Transport } from '../net/transport.ts';
import type { TrafficPolicy } from '../store/service.ts';

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
  /** On this node, by its slice's nodeName. */
  readonly local: boolean;
  /** Its slice names no node: it may be on this one. */
  readonly nodeUnknown: boolean;
}

/** Where one kind of traffic goes. `drop`: there are endpoints, but the policy allows none of them. */
export type Targets =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'reject' }
  | { readonly kind: 'drop' };

export interface ServicePort {
  /** "ns/name:port/tcp", or "ns/name/tcp" for a port without a name: unique within a family. */
  readonly key: string;
  readonly namespace: string;
  readonly service: string;
  readonly portName: string;
  readonly protocol: Transport;
  readonly family: Family;

  readonly clusterIp: IpAddress;
  readonly port: number;
  readonly nodePort: number | undefined;
  readonly externalIps: readonly IpAddress[];
  readonly loadBalancerIps: readonly IpAddress[];
  /**
   * Of this family: only these sources may use loadBalancerIps. Empty: nobody may (the service has ranges, none of them of this family).
   * Undefined: everybody may.
   */
  readonly sourceRanges: readonly Prefix[] | undefined;
  /** Session affinity by source address, shared by all addresses of the port; undefined: none. */
  readonly affinitySeconds: number | undefined;
  /** Set only where the service needs a health check server. */
  readonly healthCheckNodePort: number | undefined;

  readonly internalPolicy: TrafficPolicy;
  /** `Local` only where the port can be reached from outside, in this family. */
  readonly externalPolicy: TrafficPolicy;
  /**
   * Usable endpoints of the whole cluster and of this node, each sorted by "ip:port" as text, without doubles. A list that no policy
   * uses is empty. Which traffic takes which: `internalTargets` and its two neighbours.
   */
  readonly clusterEndpoints: readonly Endpoint[];
  readonly localEndpoints: readonly Endpoint[];
  /** Anywhere in the cluster something ready, or serving while it terminates. */
  readonly hasAnyEndpoint: boolean;
}

/** The name that kube-proxy prints: "ns/name:port", or "ns/name" without a port name. */
export function servicePortName({
  namespace,
  service,
  portName,
}: Pick<ServicePort, 'namespace' | 'service' | 'portName'>): string {
  return portName === '' ? `${namespace}/${service}` : `${namespace}/${service}:${portName}`;
}

/** Traffic to the cluster IP. */
export function internalTargets(port: ServicePort): Targets {
  return targets(port, port.internalPolicy === 'Local' ? port.localEndpoints : port.clusterEndpoints);
}

/** Traffic from outside to the node port, external IPs and load balancer IPs. */
export function externalTargets(port: ServicePort): Targets {
  return targets(port, port.externalPolicy === 'Local' ? port.localEndpoints : port.clusterEndpoints);
}

/** The same traffic where it comes from a pod of this node or from the node itself: the policy Local is not for them. */
export function shortCircuitTargets(port: ServicePort): Targets {
  return targets(port, port.clusterEndpoints);
}

function targets(port: ServicePort, endpoints: readonly Endpoint[]): Targets {
  if (endpoints.length > 0) return { kind: 'endpoints', endpoints };
  return { kind: port.hasAnyEndpoint ? 'drop' : 'reject' };
}
