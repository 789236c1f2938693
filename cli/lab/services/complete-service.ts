// What an API server adds to a Service that was written by hand: a cluster IP, node ports, and, in a lab, the address of a load
// balancer; each the first that is free. Pure.
import type { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { manifestKey, type ServiceManifest } from './service-manifest.ts';

const nodePorts = { first: 30_000, last: 32_767 } as const;
/** The first addresses of a network are for what has a fixed one. */
const firstAddress = 10;

export interface Networks {
  readonly serviceNetwork: string;
  readonly loadBalancerNetwork: string;
}

/** Completes the service; `others` are all that are there. Throws RangeError when nothing is free. */
export function completeService(
  service: ServiceManifest,
  { others, networks }: { readonly others: readonly ServiceManifest[]; readonly networks: Networks },
): ServiceManifest {
  const rest = others.filter((other) => manifestKey(other) !== manifestKey(service));
  const before = others.find((other) => manifestKey(other) === manifestKey(service));
  const { type } = service.spec;
  if (type === 'ExternalName') return service;
  const clusterIP =
    service.spec.clusterIP ??
    before?.spec.clusterIP ??
    freeAddress(networks.serviceNetwork, new Set(rest.flatMap(({ spec }) => spec.clusterIP ?? [])));
  const completed = { ...service, spec: { ...service.spec, clusterIP, clusterIPs: [clusterIP] } };
  if (type !== 'NodePort' && type !== 'LoadBalancer') return completed;
  const taken = new Set(rest.flatMap(({ spec }) => spec.ports.map(({ nodePort }) => nodePort)));
  for (const { nodePort } of service.spec.ports) taken.add(nodePort);
  const ports = service.spec.ports.map((port, i) => {
    const nodePort = port.nodePort ?? before?.spec.ports[i]?.nodePort ?? freePort(taken);
    taken.add(nodePort);
    return { ...port, nodePort };
  });
  const open = { ...completed, spec: { ...completed.spec, ports } };
  if (type !== 'LoadBalancer' || addressesOf(service).length > 0) return open;
  const used = new Set(rest.flatMap(addressesOf));
  const ip =
    (before === undefined ? undefined : addressesOf(before)[0]) ??
    freeAddress(networks.loadBalancerNetwork, used);
  return { ...open, status: { ...service.status, loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } } };
}

export function addressesOf({ status }: Pick<ServiceManifest, 'status'>): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}

function freeAddress(network: string, taken: ReadonlySet<string>): string {
  const prefix = Prefix.parse(network);
  for (let i = firstAddress; ; i++) {
    const address: IpAddress = prefix.first().plus(i);
    if (!prefix.contains(address)) throw new RangeError(`Cannot find a free address in ${network}`);
    if (!taken.has(address.toString())) return address.toString();
  }
}

function freePort(taken: ReadonlySet<number | undefined>): number {
  for (let port: number = nodePorts.first; port <= nodePorts.last; port++) if (!taken.has(port)) return port;
  throw new RangeError(`Cannot find a free node port from ${nodePorts.first} to ${nodePorts.last}`);
}
