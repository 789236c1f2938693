// What a Service says to the proxy of one family: whether it is served at all, by which addresses, and who may come from outside.
// Not yet which of the addresses it gets where others want them too (service-claims.ts).
import type { Family, IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { clusterIpOf, type PortOfService, type Service } from '../store/service.ts';

export interface ServiceInFamily {
  /** "ns/name". */
  readonly name: string;
  readonly service: Service;
  readonly clusterIp: IpAddress;
  /** Each without doubles; what is in both lists, or is the cluster IP, is not in the later ones: cluster, balancer, external. */
  readonly loadBalancerIps: readonly IpAddress[];
  readonly externalIps: readonly IpAddress[];
  /** Undefined: no ranges were given. Empty: some were, none of this family, so nobody may come. */
  readonly sourceRanges: readonly Prefix[] | undefined;
  /** Policy Local for traffic from outside, which also asks that the service can be reached from there. */
  readonly externalLocal: boolean;
  /** Only where a balancer has to learn which nodes have endpoints. */
  readonly healthCheckNodePort: number | undefined;
}

const noAddresses: readonly IpAddress[] = [];

/** Undefined for a service that this proxy, or this family, has nothing to do with. */
export function serviceInFamily(
  service: Service,
  { name, family, proxyName }: { name: string; family: Family; proxyName: string | undefined },
): ServiceInFamily | undefined {
  if (service.headless || service.proxyName !== proxyName || service.type === 'ExternalName')
    return undefined;
  const clusterIp = clusterIpOf(service, family);
  if (clusterIp === undefined) return undefined;
  const loadBalancerIps = addressesOf(service.loadBalancerIps, { family, clusterIp });
  const externalLocal = service.externalTrafficPolicy === 'Local' && isExternallyAccessible(service);
  return {
    name,
    service,
    clusterIp,
    loadBalancerIps,
    // An address that the balancer also has stays the balancer's, where source ranges guard it.
    externalIps: addressesOf(service.externalIps, { family, clusterIp, except: loadBalancerIps }),
    sourceRanges: sourceRangesOf(service, family),
    externalLocal,
    healthCheckNodePort:
      externalLocal && service.type === 'LoadBalancer' ? service.healthCheckNodePort : undefined,
  };
}

/** A node port that is left over in a service of type ClusterIP opens nothing. */
export function nodePortOf({ type }: Service, { nodePort }: PortOfService): number | undefined {
  return type === 'NodePort' || type === 'LoadBalancer' ? nodePort : undefined;
}

/** Whatever the family: apiservice.ExternallyAccessible of Kubernetes. */
function isExternallyAccessible({ type, externalIps }: Service): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && externalIps.length > 0);
}

function addressesOf(
  addresses: readonly IpAddress[],
  {
    family,
    clusterIp,
    except = noAddresses,
  }: { family: Family; clusterIp: IpAddress; except?: readonly IpAddress[] },
): readonly IpAddress[] {
  if (addresses.length === 0) return noAddresses;
  const kept: IpAddress[] = [];
  for (const address of addresses) {
    const isNew = (other: IpAddress) => !other.equals(address);
    if (address.family !== family || !isNew(clusterIp)) continue;
    if (except.every(isNew) && kept.every(isNew)) kept.push(address);
  }
  return kept;
}

/**
 * kube-proxy opens the balancer's addresses of a family that none of the ranges is of. Whoever restricts a service to some IPv4 networks
 * does not mean to open it to all of IPv6, so here it is closed.
 */
function sourceRangesOf(
  { loadBalancerSourceRanges }: Service,
  family: Family,
): readonly Prefix[] | undefined {
  if (loadBalancerSourceRanges.length === 0) return undefined;
  return loadBalancerSourceRanges.filter((range) => range.family === family).map((range) => range.network());
}
