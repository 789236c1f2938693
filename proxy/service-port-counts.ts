// Sums over the service ports of a family, for metrics and status, kept as ports come and go.
import { externalTargets, internalTargets, type ServicePort } from './service-port.ts';

export interface ServicePortCounts {
  /** Services that this proxy serves in the family, with or without endpoints. */
  readonly services: number;
  readonly ports: number;
  /** Endpoints that some traffic can reach, once a port. */
  readonly endpoints: number;
  /** Ports whose policy for traffic from inside (from outside) leaves none of the endpoints there are. */
  readonly noLocalInternal: number;
  readonly noLocalExternal: number;
}

export interface ServicePortCounter extends ServicePortCounts {
  /** Set by whoever knows the services. */
  services: number;
  add(port: ServicePort): void;
  remove(port: ServicePort): void;
}

export function createServicePortCounter(): ServicePortCounter {
  const counts = { ports: 0, endpoints: 0, noLocalInternal: 0, noLocalExternal: 0 };
  const count = (port: ServicePort, by: 1 | -1) => {
    counts.ports += by;
    counts.endpoints += by * reachable(port);
    if (internalTargets(port).kind === 'drop') counts.noLocalInternal += by;
    if (isOutside(port) && externalTargets(port).kind === 'drop') counts.noLocalExternal += by;
  };
  return {
    services: 0,
    get ports() {
      return counts.ports;
    },
    get endpoints() {
      return counts.endpoints;
    },
    get noLocalInternal() {
      return counts.noLocalInternal;
    },
    get noLocalExternal() {
      return counts.noLocalExternal;
    },
    add: (port) => count(port, 1),
    remove: (port) => count(port, -1),
  };
}

function isOutside({ nodePort, externalIps, loadBalancerIps }: ServicePort): boolean {
  return nodePort !== undefined || externalIps.length > 0 || loadBalancerIps.length > 0;
}

/** An endpoint that is in both lists is one object. */
function reachable({ clusterEndpoints, localEndpoints }: ServicePort): number {
  if (localEndpoints.length === 0) return clusterEndpoints.length;
  if (clusterEndpoints.length === 0) return localEndpoints.length;
  return new Set([...clusterEndpoints, ...localEndpoints]).size;
}
