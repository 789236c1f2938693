// Whether two service ports are the same to every mode.
import type { IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { Endpoint, ServicePort } from './service-port.ts';

/** How each field is compared: a new field does not compile until it has its line. */
const same: { readonly [Field in keyof ServicePort]: (a: ServicePort, b: ServicePort) => boolean } = {
  key: (a, b) => a.key === b.key,
  namespace: (a, b) => a.namespace === b.namespace,
  service: (a, b) => a.service === b.service,
  portName: (a, b) => a.portName === b.portName,
  protocol: (a, b) => a.protocol === b.protocol,
  family: (a, b) => a.family === b.family,
  clusterIp: (a, b) => sameAddress(a.clusterIp, b.clusterIp),
  port: (a, b) => a.port === b.port,
  nodePort: (a, b) => a.nodePort === b.nodePort,
  externalIps: (a, b) => sameList(a.externalIps, b.externalIps, sameAddress),
  loadBalancerIps: (a, b) => sameList(a.loadBalancerIps, b.loadBalancerIps, sameAddress),
  sourceRanges: (a, b) =>
    a.sourceRanges === undefined || b.sourceRanges === undefined
      ? a.sourceRanges === b.sourceRanges
      : sameList(a.sourceRanges, b.sourceRanges, samePrefix),
  affinitySeconds: (a, b) => a.affinitySeconds === b.affinitySeconds,
  healthCheckNodePort: (a, b) => a.healthCheckNodePort === b.healthCheckNodePort,
  internalPolicy: (a, b) => a.internalPolicy === b.internalPolicy,
  externalPolicy: (a, b) => a.externalPolicy === b.externalPolicy,
  clusterEndpoints: (a, b) => sameList(a.clusterEndpoints, b.clusterEndpoints, sameEndpoint),
  localEndpoints: (a, b) => sameList(a.localEndpoints, b.localEndpoints, sameEndpoint),
  hasAnyEndpoint: (a, b) => a.hasAnyEndpoint === b.hasAnyEndpoint,
};
const comparisons = Object.values(same);

export function isSameServicePort(a: ServicePort, b: ServicePort): boolean {
  return a === b || comparisons.every((isSame) => isSame(a, b));
}

function sameList<T>(a: readonly T[], b: readonly T[], isSame: (one: T, other: T) => boolean): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  return a.every((one, index) => {
    const other = b[index];
    return other !== undefined && isSame(one, other);
  });
}

function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return a === b || a.equals(b);
}

function samePrefix(a: Prefix, b: Prefix): boolean {
  return a === b || a.equals(b);
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.port === b.port &&
    a.local === b.local &&
    a.nodeUnknown === b.nodeUnknown &&
    sameAddress(a.address, b.address)
  );
}
