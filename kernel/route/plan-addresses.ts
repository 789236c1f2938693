// The part of a plan that concerns addresses, and what deleting one takes along: its secondaries, the routes that prefer it
// as their source, and with the last IPv4 address of a link all its IPv4 routes and neighbours.
import { difference, satisfies } from './difference.ts';
import { addressKey, type InterfaceAddress, type Neighbour, type Route, type RouteState } from './objects.ts';
import { filtered, usesLink } from './plan-links.ts';
import type { RouteScope, RouteStep } from './step.ts';

/** What only the kernel decides, or what only matters when the address is made. */
const readOnly: ReadonlySet<string> = new Set(['permanent', 'temporary', 'deprecated', 'noDad']);

export interface AddressPlan {
  readonly deleteFirst: readonly RouteStep[];
  readonly add: readonly RouteStep[];
  readonly deleteLast: readonly RouteStep[];
  /** What of `left` remains after `deleteFirst`. */
  readonly left: RouteState;
}

export function planAddresses(desired: RouteState, left: RouteState, scope: RouteScope): AddressPlan {
  const { changed, surplus } = difference(desired.addresses, left.addresses, (wanted, actual) =>
    satisfies(wanted, actual, { ignore: readOnly }),
  );
  const remade = changed.map(({ actual }) => actual);
  const unwanted = surplus
    .map(([, address]) => address)
    .filter((address) => scope.addressesOn.has(address.link) && !isKernelsOwn(address));
  const wanted = [...desired.addresses.values()];
  const inUse = unwanted.length === 0 ? new Set<string>() : linksInUse(desired);
  const first = [...remade, ...unwanted.filter((address) => mustGoFirst(address, { wanted, inUse }))];
  const remaining = filtered(
    left.addresses,
    (address) => !first.some((deleted) => takesAlong(deleted, address)),
  );
  const missing = wanted.filter((address) => {
    const found = remaining.get(addressKey(address));
    return found === undefined || !satisfies(address, found, { ignore: readOnly });
  });
  return {
    deleteFirst: first.map(deletion),
    add: missing.map((address) => ({ kind: 'address-add', address })),
    deleteLast: unwanted.filter((address) => !first.includes(address)).map(deletion),
    left: first.length === 0 ? left : withoutAddresses(left, { deleted: first, remaining }),
  };
}

function deletion(address: InterfaceAddress): RouteStep {
  return { kind: 'address-delete', address };
}

/** IPv6 link-local addresses come from the kernel. */
function isKernelsOwn({ prefix }: InterfaceAddress): boolean {
  return prefix.family === 6 && prefix.address.isLinkLocal;
}

/** Links that wanted IPv4 routes and neighbours are on. */
function linksInUse(desired: RouteState): ReadonlySet<string> {
  const links = new Set<string>();
  for (const { link, address } of desired.neighbours.values()) if (address.family === 4) links.add(link);
  for (const { destination, hops } of desired.routes.values()) {
    if (destination.family === 6) continue;
    for (const { link } of hops) if (link !== undefined) links.add(link);
  }
  return links;
}

/**
 * Others are deleted after what replaces them is there. But with a primary IPv4 address its secondaries of the same network
 * go, so it must go before they come; and when no wanted address stays on the link, routes that are set before would be
 * flushed with the last one.
 */
function mustGoFirst(
  address: InterfaceAddress,
  desired: { readonly wanted: readonly InterfaceAddress[]; readonly inUse: ReadonlySet<string> },
): boolean {
  if (address.prefix.family === 6) return false;
  const beside = desired.wanted.filter(({ link, prefix }) => link === address.link && prefix.family === 4);
  if (beside.length === 0) return desired.inUse.has(address.link);
  return beside.some((other) => isSameNetwork(address, other));
}

function isSameNetwork(a: InterfaceAddress, b: InterfaceAddress): boolean {
  return a.link === b.link && a.prefix.network().equals(b.prefix.network());
}

/** A secondary may be promoted in place of its primary (promote_secondaries): adding it again is then no error. */
function takesAlong(deleted: InterfaceAddress, other: InterfaceAddress): boolean {
  if (deleted === other) return true;
  return deleted.prefix.family === 4 && isSameNetwork(deleted, other);
}

function withoutAddresses(
  left: RouteState,
  lost: {
    readonly deleted: readonly InterfaceAddress[];
    readonly remaining: ReadonlyMap<string, InterfaceAddress>;
  },
): RouteState {
  const kept = new Set<string>();
  for (const { link, prefix } of lost.remaining.values()) if (prefix.family === 4) kept.add(link);
  const bare = new Set<string>();
  for (const { link, prefix } of lost.deleted) if (prefix.family === 4 && !kept.has(link)) bare.add(link);
  const isNeighbourKept = ({ link, address }: Neighbour): boolean => address.family === 6 || !bare.has(link);
  const isRouteKept = (route: Route): boolean => {
    const { source } = route;
    if (source !== undefined && lost.deleted.some(({ prefix }) => prefix.address.equals(source)))
      return false;
    return route.destination.family === 6 || !usesLink(route, bare);
  };
  return {
    ...left,
    addresses: lost.remaining,
    neighbours: filtered(left.neighbours, isNeighbourKept),
    routes: filtered(left.routes, isRouteKept),
  };
}
