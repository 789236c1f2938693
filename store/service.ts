// A Service as the proxy sees it: what Kubernetes' object says, parsed. Not what follows from it: proxy/ decides that.
import type { Family, IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { Transport } from '../net/transport.ts';

/** `Local`: only endpoints on the node that the packet is on. */
export type TrafficPolicy = 'Cluster' | 'Local';

export interface PortOfService {
  /** Empty where the only port has none. With the protocol it joins the port to those of slices; the number never does. */
  readonly name: string;
  readonly protocol: Transport;
  /** 1 to 65535, as is `nodePort`. */
  readonly port: number;
  readonly nodePort: number | undefined;
}

export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** At most one a family. Empty for a headless service and for one that has no address yet. */
  readonly clusterIps: readonly IpAddress[];
  readonly ports: readonly PortOfService[];
  readonly externalIps: readonly IpAddress[];
  /** Of status.loadBalancer, those that reach nodes as they are (ipMode VIP or none). */
  readonly loadBalancerIps: readonly IpAddress[];
  /** Who may use the load balancer's addresses. Empty: everybody. */
  readonly loadBalancerSourceRanges: readonly Prefix[];
  /** Session affinity by the client's address; undefined: none. */
  readonly affinitySeconds: number | undefined;
  /** As written; it only counts for traffic from outside (proxy/service-port.ts). */
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly internalTrafficPolicy: TrafficPolicy;
  /** Only of type LoadBalancer with external policy Local. */
  readonly healthCheckNodePort: number | undefined;
  /** Label service.kubernetes.io/service-proxy-name: another proxy's, unless it names this one. */
  readonly proxyName: string | undefined;
  /** Label service.kubernetes.io/headless: nobody's, whatever its value. */
  readonly headless: boolean;
  /** Pods with these labels are its endpoints. Undefined: whoever made it makes them. */
  readonly selector: ReadonlyMap<string, string> | undefined;
  /** Milliseconds since 1970 of metadata.creationTimestamp; who came first keeps an address that two claim. */
  readonly createdAt: number | undefined;
}

/** "namespace/name", the key of services. */
export function serviceKey({ namespace, name }: Pick<Service, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** The service's address of a family. */
export function clusterIpOf(
  { clusterIps }: Pick<Service, 'clusterIps'>,
  family: Family,
): IpAddress | undefined {
  return clusterIps.find((one) => one.family === family);
}
