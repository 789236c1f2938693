// Which way a packet would leave, computed from routes that were read: longest prefix, then lowest metric, in table main.
// It knows no policy rules, and leaves out Netloom's own routes: what they lead to depends on what is asked here.

import { selection } from '../kernel/route/layered-map.ts';
import { netloomRouteProtocol, type Route, type RouteState } from '../kernel/route/objects.ts';
import type { IpAddress } from '../net/address.ts';

const mainTable = 254;

/** Where a packet goes. No gateway: the destination is on the link itself. */
export interface NextStop {
  readonly link: string;
  readonly gateway: IpAddress | undefined;
  /** The route's preferred source address. */
  readonly source: IpAddress | undefined;
}

/** Undefined when there is no route, or the best one refuses packets. */
export type RouteLookup = (address: IpAddress) => NextStop | undefined;

const madeByOthers = selection<Route>(
  (route) => route.table === mainTable && route.protocol !== netloomRouteProtocol,
);

/** All that a look-up knows, in the order in which it asks: equal lists, equal answers. */
export function routesOfOthers(state: RouteState): readonly Route[] {
  return madeByOthers(state.routes)
    .filter((route) => usable(route, state))
    .sort((one, other) => other.destination.length - one.destination.length || one.priority - other.priority);
}

/** Sorts once, so that asking for thousands of peers costs one walk over the few routes that others made. */
export function routeLookup(state: RouteState): RouteLookup {
  let routes: readonly Route[] | undefined;
  return (address) => {
    routes ??= routesOfOthers(state);
    const best = routes.find((route) => route.destination.contains(address));
    const hop = best?.hops[0];
    if (best === undefined || hop?.link === undefined) return undefined;
    return { link: hop.link, gateway: hop.gateway, source: best.source };
  };
}

/** The kernel keeps routes of a link without carrier, and passes over them. */
function usable(route: Route, state: RouteState): boolean {
  const link = route.hops[0]?.link;
  return link === undefined || state.links.get(link)?.up !== false;
}
