// What an API server adds to a Service that was written by hand: a cluster IP, node ports, and, in a lab, the address of a load
// balancer; each the first that is free. Pure.
import type { Family } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { familyName } from '../../../proxy/family-name.ts';
import type { LabStateNetwork } from '../lab-state.ts';
import { familyOf, givenIps, serviceFamilies } from './service-families.ts';
import { manifestKey, type ServiceManifest } from './service-manifest.ts';

const nodePorts = { first: 30_000, last: 32_767 } as const;
/** The first addresses of a network are for what has a fixed one. */
const firstAddress = 10;

/** A family each; the first is that of services that do not say. */
export type Networks = readonly Pick<LabStateNetwork, 'family' | 'services' | 'loadBalancers'>[];

type Network = Networks[number];

/**
 * Completes the service; `others` are all that are there. Throws RangeError when nothing is free, SyntaxError when its families do
 * not fit the lab.
 */
export function completeService(
  service: ServiceManifest,
  { others, networks }: { readonly others: readonly ServiceManifest[]; readonly networks: Networks },
): ServiceManifest {
  const rest = others.filter((other) => manifestKey(other) !== manifestKey(service));
  const before = others.find((other) => manifestKey(other) === manifestKey(service));
  const { type } = service.spec;
  if (type === 'ExternalName') return service;
  const { policy, families } = serviceFamilies(
    service,
    networks.map(({ family }) => family),
  );
  const own = families.flatMap((family) => networks.filter((network) => network.family === family));
  const clusterIPs = clusterIpsOf(service, { networks: own, before, rest });
  const completed = {
    ...service,
    spec: {
      ...service.spec,
      clusterIP: clusterIPs[0],
      clusterIPs: [...clusterIPs],
      ipFamilies: families.map(familyName),
      ipFamilyPolicy: policy,
    },
  };
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
  const had = before === undefined ? [] : addressesOf(before);
  const ingress = own.map(({ family, loadBalancers }) => ({
    ip: ofFamily(had, family) ?? freeAddress(loadBalancers, used),
    ipMode: 'VIP',
  }));
  return { ...open, status: { ...service.status, loadBalancer: { ingress } } };
}

/** One for each network, the service's own first, then those that it had. */
function clusterIpsOf(
  service: ServiceManifest,
  {
    networks,
    before,
    rest,
  }: {
    readonly networks: readonly Network[];
    readonly before: ServiceManifest | undefined;
    readonly rest: readonly ServiceManifest[];
  },
): readonly string[] {
  const given = givenIps(service.spec);
  // Headless, or no address at all: the proxies say what is wrong with it.
  if (given.some((ip) => familyOf(ip) === undefined)) return given;
  const had = before === undefined ? [] : givenIps(before.spec);
  const taken = new Set(rest.flatMap(({ spec }) => givenIps(spec)));
  return networks.map(
    ({ family, services }) =>
      ofFamily(given, family) ?? ofFamily(had, family) ?? freeAddress(services, taken),
  );
}

/** Of load balancers. */
export function addressesOf({ status }: Pick<ServiceManifest, 'status'>): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}

export function ofFamily(addresses: readonly string[], family: Family): string | undefined {
  return addresses.find((address) => familyOf(address) === family);
}

function freeAddress(network: string, taken: ReadonlySet<string>): string {
  const prefix = Prefix.parse(network);
  for (let i = firstAddress; ; i++) {
    const address = prefix.first().plus(i);
    if (!prefix.contains(address)) throw new RangeError(`Cannot find a free address in ${network}`);
    if (!taken.has(address.toString())) return address.toString();
  }
}

function freePort(taken: ReadonlySet<number | undefined>): number {
  for (let port: number = nodePorts.first; port <= nodePorts.last; port++) if (!taken.has(port)) return port;
  throw new RangeError(`Cannot find a free node port from ${nodePorts.first} to ${nodePorts.last}`);
}
