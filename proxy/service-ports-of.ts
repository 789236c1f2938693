// The service ports that one service and its slices make: everything that is decided about them, put together. Pure.
import type { EndpointSlice } from '../store/endpoint-slice.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import type { PortOfService } from '../store/service.ts';
import { chooseEndpoints } from './choose-endpoints.ts';
import { type Candidate, candidatesOf, countingSlices } from './endpoint-candidates.ts';
import { hasUnsafe, refuseUnsafe } from './endpoint-safety.ts';
import type { Held, ServiceClaims } from './service-claims.ts';
import type { ServiceInFamily } from './service-in-family.ts';
import type { ServicePort } from './service-port.ts';

/** What service ports depend on beside their service, its slices and its claims. */
export interface Surroundings {
  readonly nodeName: string;
  readonly zone: string | undefined;
  readonly allowUnsafeEndpoints: boolean;
}

/** What the health check server of a service answers with. */
export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  readonly nodePort: number;
  /** Different addresses of ready endpoints on this node, over all ports. */
  readonly localEndpoints: number;
}

export interface MadePorts {
  readonly ports: readonly ServicePort[];
  readonly healthCheck: HealthCheck | undefined;
  readonly problems: readonly StoreProblem[];
}

export function servicePortsOf(
  of: ServiceInFamily,
  options: { slices: readonly EndpointSlice[]; claims: ServiceClaims; around: Surroundings },
): MadePorts {
  const { slices, claims, around } = options;
  const { service } = of;
  const problems: StoreProblem[] = [];
  const say = (message: string) => problems.push({ object: `Service "${of.name}"`, message });

  if (slices.length === 0 && service.selector !== undefined) say(missingSlices(of));
  const used = usedSlices(slices, { around, problems });
  const lostHealthCheck = claims.lostHealthCheckNodePort(of);
  if (lostHealthCheck !== undefined) say(lostHealthCheck);
  const healthCheckNodePort = lostHealthCheck === undefined ? of.healthCheckNodePort : undefined;

  const ports: ServicePort[] = [];
  const ofPorts: (readonly Candidate[])[] = [];
  service.ports.forEach((port, index) => {
    const { name, protocol } = port;
    if (ports.some((other) => other.portName === name && other.protocol === protocol)) {
      say(`ports: "${name}" (${protocol}) is there twice; the second, ${port.port}, is left out`);
      return;
    }
    const held = claims.held(of, index);
    for (const message of held.lost) say(message);
    if (!held.clusterIp) return;
    const candidates = candidatesOf(used, { name, protocol, nodeName: around.nodeName });
    ports.push(servicePortOf(of, { port, held, candidates, healthCheckNodePort, around }));
    if (healthCheckNodePort !== undefined) ofPorts.push(candidates);
  });
  const healthCheck =
    healthCheckNodePort === undefined || ports.length === 0
      ? undefined
      : {
          namespace: service.namespace,
          name: service.name,
          nodePort: healthCheckNodePort,
          localEndpoints: countReadyHere(ofPorts.flat()),
        };
  return { ports, healthCheck, problems };
}

function servicePortOf(
  { service, name, clusterIp, sourceRanges, externalLocal }: ServiceInFamily,
  options: {
    port: PortOfService;
    held: Held;
    candidates: readonly Candidate[];
    healthCheckNodePort: number | undefined;
    around: Surroundings;
  },
): ServicePort {
  const { port, held, candidates, healthCheckNodePort, around } = options;
  const { namespace, affinitySeconds, internalTrafficPolicy } = service;
  const isOutside =
    held.nodePort !== undefined || held.externalIps.length > 0 || held.loadBalancerIps.length > 0;
  const internalLocal = internalTrafficPolicy === 'Local';
  const chosen = chooseEndpoints(candidates, {
    nodeName: around.nodeName,
    zone: around.zone,
    // With the external policy Local, pods and the node itself still go to every endpoint.
    usesCluster: !internalLocal || isOutside,
    usesLocal: internalLocal || (externalLocal && isOutside),
  });
  // All fields by name, none spread: there are tens of thousands of these, and so each takes half of the memory.
  return {
    key: `${name}${port.name === '' ? '' : `:${port.name}`}/${port.protocol}`,
    namespace,
    service: service.name,
    portName: port.name,
    protocol: port.protocol,
    family: clusterIp.family,
    clusterIp,
    port: port.port,
    nodePort: held.nodePort,
    externalIps: held.externalIps,
    loadBalancerIps: held.loadBalancerIps,
    sourceRanges,
    affinitySeconds,
    healthCheckNodePort,
    internalPolicy: internalTrafficPolicy,
    externalPolicy: externalLocal && isOutside ? 'Local' : 'Cluster',
    clusterEndpoints: chosen.clusterEndpoints,
    localEndpoints: chosen.localEndpoints,
    hasAnyEndpoint: chosen.hasAnyEndpoint,
  };
}

function countReadyHere(candidates: readonly Candidate[]): number {
  const here = candidates.filter(({ endpoint, said }) => endpoint.local && said.ready);
  return new Set(here.map(({ endpoint }) => endpoint.address.toString())).size;
}

/** Those that count, without endpoints that are refused. */
export function usedSlices(
  slices: readonly EndpointSlice[],
  { around, problems }: { around: Pick<Surroundings, 'allowUnsafeEndpoints'>; problems?: StoreProblem[] },
): readonly EndpointSlice[] {
  const counting = countingSlices(slices);
  if (around.allowUnsafeEndpoints || !counting.some(hasUnsafe)) return counting;
  return counting.map((one) => {
    if (!hasUnsafe(one)) return one;
    const { slice, problem } = refuseUnsafe(one);
    problems?.push(problem);
    return slice;
  });
}

function missingSlices({ service: { name }, clusterIp: { family } }: ServiceInFamily): string {
  return (
    `selector: nobody makes EndpointSlices from selectors here, and there is none of IPv${family}: ` +
    `its traffic is rejected until there is an EndpointSlice with label kubernetes.io/service-name=${name}, or Endpoints "${name}"`
  );
}
