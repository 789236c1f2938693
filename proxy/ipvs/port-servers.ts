// The virtual servers of a service port, each with its real servers. A kind of traffic that finds no endpoint has none: an entry of a set
// refuses or drops it (port-entries.ts).
import type { RealServerId, VirtualServer, VirtualServerId } from '../../kernel/ipvs/objects.ts';
import { realServerText, virtualServerText } from '../../kernel/ipvs/objects.ts';
import type { IpAddress } from '../../net/address.ts';
import type { RuleContext } from '../rule-context.ts';
import { externalTargets, internalTargets, type ServicePort, type Targets } from '../service-port.ts';

export interface WantedServer {
  readonly server: VirtualServer;
  /** By text. */
  readonly reals: ReadonlyMap<string, RealServerId>;
  /** Of two ports that want one virtual server the lower has it: addresses of services go before node ports. */
  readonly rank: 0 | 1;
}

export interface PortServersOptions {
  readonly context: RuleContext;
  readonly scheduler: string;
}

/** By text of their address and port. */
export function portServers(
  port: ServicePort,
  { context, scheduler }: PortServersOptions,
): ReadonlyMap<string, WantedServer> {
  const servers = new Map<string, WantedServer>();
  const add = (places: readonly VirtualServerId[], targets: Targets, rank: WantedServer['rank']) => {
    if (targets.kind !== 'endpoints' || places.length === 0) return;
    const reals = new Map(
      targets.endpoints.map((endpoint): readonly [string, RealServerId] => {
        const real = { address: endpoint.address, port: endpoint.port };
        return [realServerText(real), real];
      }),
    );
    for (const place of places) {
      const key = virtualServerText(place);
      // An address may be a balancer's as well as an external one.
      if (servers.has(key)) continue;
      const persistentSeconds = port.affinitySeconds;
      const server = { ...place, scheduler, persistentSeconds, hashesPort: scheduler === 'mh' };
      servers.set(key, { server, reals, rank });
    }
  };
  const external = externalTargets(port);
  add([{ protocol: port.protocol, address: port.clusterIp, port: port.port }], internalTargets(port), 0);
  add(externalPlaces(port), external, 0);
  add(nodePortPlaces(port, context), external, 1);
  return servers;
}

/** Where outsiders reach the port, but for node ports. */
export function externalPlaces({
  protocol,
  port,
  externalIps,
  loadBalancerIps,
}: ServicePort): readonly VirtualServerId[] {
  return [...externalIps, ...loadBalancerIps].map((address) => ({ protocol, address, port }));
}

export function nodePortPlaces(
  { protocol, nodePort }: ServicePort,
  context: RuleContext,
): readonly VirtualServerId[] {
  if (nodePort === undefined) return [];
  return nodePortIps(context).map((address) => ({ protocol, address, port: nodePort }));
}

function nodePortIps({ nodePortIps, nodeIps }: RuleContext): readonly IpAddress[] {
  return nodePortIps === 'all' ? nodeIps : nodePortIps;
}

/** The addresses of the port that the node does not have anyway. */
export function boundAddresses(port: ServicePort, { nodeIps }: RuleContext): readonly IpAddress[] {
  const found = new Map<string, IpAddress>();
  for (const address of [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps]) {
    if (!nodeIps.some((own) => own.equals(address))) found.set(address.toString(), address);
  }
  return [...found.values()];
}
