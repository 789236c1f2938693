// The node's own addresses, as rules need them: all, and the primary one of each family. Those of services, which IPVS mode binds, are not
// the node's. Pure; node-watch.ts reads and follows them.
import type { InterfaceAddress, RouteState } from '../kernel/route/objects.ts';
import type { Family, IpAddress } from '../net/address.ts';
import { serviceLinkName } from './ipvs/service-link.ts';

const mainTable = 254;

export interface NodeAddresses {
  /** In their order, without doubles. */
  readonly all: readonly IpAddress[];
  /** The one that others know the node by; undefined when the node has none of this family. */
  readonly primary: IpAddress | undefined;
}

/** `nodeIps`: what the operator said; an address of the family among them is the primary one, whether it is on a link or not. */
export function nodeAddresses(
  state: RouteState,
  { family, nodeIps }: { readonly family: Family; readonly nodeIps: readonly IpAddress[] },
): NodeAddresses {
  const byText = new Map<string, IpAddress>();
  for (const { prefix, link } of state.addresses.values()) {
    if (prefix.family === family && counts(prefix.address) && link !== serviceLinkName)
      byText.set(prefix.address.toString(), prefix.address);
  }
  const said = nodeIps.find((address) => address.family === family);
  return {
    all: [...byText.values()].sort((one, other) => one.compare(other)),
    primary: said ?? defaultSource(state, family),
  };
}

/**
 * Loopback is said elsewhere (localhostNodePorts). Each link has a link-local IPv6 address: they come and go with every pod, and
 * nobody reaches a service by them.
 */
export function counts(address: IpAddress): boolean {
  return !address.isLoopback && !(address.family === 6 && address.isLinkLocal);
}

/** The links of the family's best default route. */
export function defaultLinks(state: RouteState, family: Family): readonly string[] {
  return bestDefault(state, family)?.hops.flatMap(({ link }) => link ?? []) ?? [];
}

/** The address that packets to the world leave with. */
function defaultSource(state: RouteState, family: Family): IpAddress | undefined {
  const best = bestDefault(state, family);
  if (best?.source !== undefined) return best.source;
  const link = best?.hops[0]?.link;
  return [...state.addresses.values()]
    .filter((one) => one.link === link && one.prefix.family === family && counts(one.prefix.address))
    .sort((one, other) => penalty(one) - penalty(other))[0]?.prefix.address;
}

function bestDefault(state: RouteState, family: Family) {
  return [...state.routes.values()]
    .filter(({ destination, table, type, hops }) => {
      if (destination.length !== 0 || table !== mainTable || type !== 'unicast') return false;
      const link = hops[0]?.link;
      return destination.family === family && (link === undefined || state.links.get(link)?.up !== false);
    })
    .sort((one, other) => one.priority - other.priority)[0];
}

/** Global before narrower ones, lasting before temporary or deprecated. */
function penalty({ scope, temporary, deprecated, tentative }: InterfaceAddress): number {
  const narrow = scope !== undefined && scope !== 'global' && scope !== 'site';
  return (narrow ? 8 : 0) + (deprecated || tentative ? 4 : 0) + (temporary ? 2 : 0);
}
