// Routes of the fake kernel: what it checks before it takes one, which one a packet follows.
import { constants } from 'node:os';
import type { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { satisfies } from './difference.ts';
import { Refusal } from './fake-refusal.ts';
import type { FakeTables } from './fake-tables.ts';
import { type Link, type NextHop, type Route, routeKey } from './objects.ts';

const { errno } = constants;

/** A link that a step only refers to: the real driver must find its number first. */
export function referredLink(tables: FakeTables, name: string): Link {
  const link = tables.links.get(name);
  if (link !== undefined) return link;
  throw new Refusal(errno.ENODEV, `Cannot find link "${name}": no such device (ENODEV)`);
}

/** Puts a route in the place of the first of its key, filled in as the kernel would show it. */
export function setRoute(tables: FakeTables, route: Route): void {
  const { family } = route.destination;
  const hops = route.hops.map((hop) => resolve(tables, hop, { family }));
  const { source } = route;
  const own = [...tables.addresses.values()];
  if (source !== undefined && !own.some(({ prefix }) => prefix.address.equals(source))) {
    throw new Refusal(errno.EINVAL, 'Invalid prefsrc address');
  }
  const isDirect =
    hops.length > 0 && route.type === 'unicast' && hops.every(({ gateway }) => gateway === undefined);
  const next: Route = {
    ...route,
    destination: route.destination.network(),
    priority: family === 6 && route.priority === 0 ? 1024 : route.priority,
    scope: family === 4 ? (route.scope ?? (isDirect ? 'link' : 'global')) : undefined,
    hops: hops.length > 1 ? hops.map((hop) => ({ ...hop, weight: hop.weight ?? 1 })) : hops,
    mtu: route.mtu ?? 0,
    advmss: route.advmss ?? 0,
  };
  const key = routeKey(next);
  const place = tables.routes.findIndex((other) => routeKey(other) === key);
  if (place < 0) tables.routes.push(next);
  else tables.routes[place] = next;
}

/** What the kernel checks of a hop when it takes a route. */
function resolve(tables: FakeTables, hop: NextHop, options: { readonly family: 4 | 6 }): NextHop {
  const { gateway, onlink = false, weight } = hop;
  const named = hop.link === undefined ? undefined : referredLink(tables, hop.link);
  if (named !== undefined && named.up !== true)
    throw new Refusal(errno.ENETDOWN, 'Device for nexthop is not up');
  if (gateway === undefined || onlink) {
    if (named === undefined) {
      throw onlink
        ? new Refusal(errno.EINVAL, 'Nexthop device required for onlink')
        : new Refusal(errno.ENODEV);
    }
    return { gateway, link: named.name, onlink, ...(weight !== undefined && { weight }) };
  }
  const way = lookUp(tables, gateway, named?.name);
  const isReached = way?.type === 'unicast' && way.hops.some((next) => next.gateway === undefined);
  if (way === undefined || !isReached) {
    if (options.family === 6) throw new Refusal(errno.EHOSTUNREACH);
    throw new Refusal(errno.ENETUNREACH, 'Nexthop has invalid gateway');
  }
  const link = named?.name ?? way.hops[0]?.link;
  return { gateway, link, onlink, ...(weight !== undefined && { weight }) };
}

/** RTM_DELROUTE matches destination, table, metric, type, protocol and what it says of the hops. */
export function deleteRoute(tables: FakeTables, route: Route): void {
  for (const { link } of route.hops) if (link !== undefined) referredLink(tables, link);
  const place = tables.routes.findIndex(
    (other) =>
      routeKey(route) === routeKey(other) &&
      route.type === other.type &&
      route.protocol === other.protocol &&
      satisfies(route.hops, other.hops, { ignore: new Set(['weight', 'onlink']) }),
  );
  if (place < 0) throw new Refusal(errno.ESRCH);
  tables.routes.splice(place, 1);
}

/** What `ip route get` says. */
export function wayTo(tables: FakeTables, address: IpAddress): Route | undefined {
  const best = lookUp(tables, address);
  const hop = best?.hops[0];
  if (best === undefined || hop === undefined) return undefined;
  const source = best.source ?? sourceOn(tables, hop.link, address);
  return {
    ...best,
    destination: Prefix.host(address),
    hops: [{ gateway: hop.gateway, link: hop.link }],
    source,
  };
}

/** The longest prefix in the tables local, main and default, by metric among equals. */
function lookUp(tables: FakeTables, address: IpAddress, link?: string): Route | undefined {
  for (const table of [255, 254, 253]) {
    const [found] = tables.routes
      .filter((route) => route.table === table && route.destination.contains(address))
      .filter((route) => link === undefined || route.hops.some((hop) => hop.link === link))
      .sort((a, b) => b.destination.length - a.destination.length || a.priority - b.priority);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sourceOn(tables: FakeTables, link: string | undefined, to: IpAddress): IpAddress | undefined {
  const own = [...tables.addresses.values()].filter(({ prefix }) => prefix.family === to.family);
  const found = own.find((address) => address.link === link && address.prefix.contains(to));
  return (found ?? own.find((address) => address.link === link) ?? own[0])?.prefix.address;
}
