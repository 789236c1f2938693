// The part of a plan that concerns routes: what is wanted must be the first of its destination and metric, because that one
// is in force, whoever put another there.
import { layeredDifference, satisfies } from './difference.ts';
import { type NextHop, type Route, routeKey, routeKeyAt } from './objects.ts';
import type { RouteScope, RouteStep } from './step.ts';

export interface RoutePlan {
  readonly set: readonly RouteStep[];
  readonly delete: readonly RouteStep[];
}

/** The hops are compared on their own; what a wanted route leaves open the kernel fills in. IPv6 knows no scopes. */
const notCompared: Readonly<Record<4 | 6, ReadonlySet<string>>> = {
  4: new Set(['hops']),
  6: new Set(['hops', 'scope']),
};
const weight: ReadonlySet<string> = new Set(['weight']);

/** True when `actual` is the route that is wanted: hops of a multipath route in any order. */
export function isSameRoute(wanted: Route, actual: Route): boolean {
  if (wanted.hops.length !== actual.hops.length) return false;
  if (!satisfies(wanted, actual, { ignore: notCompared[wanted.destination.family] })) return false;
  const [only] = wanted.hops;
  if (wanted.hops.length === 1) return satisfies(only, actual.hops[0], { ignore: weight });
  const open = [...actual.hops];
  return wanted.hops.every((hop) => takeHop(hop, open));
}

const routeDifference = layeredDifference(isSameRoute);

function takeHop(wanted: NextHop, open: NextHop[]): boolean {
  const place = open.findIndex((hop) => satisfies(wanted, hop));
  if (place < 0) return false;
  open.splice(place, 1);
  return true;
}

export function planRoutes(
  desired: ReadonlyMap<string, Route>,
  actual: ReadonlyMap<string, Route>,
  scope: RouteScope,
): RoutePlan {
  const set: RouteStep[] = [];
  const remove: Route[] = [];
  /** Routes behind the first of their key that are what is wanted. */
  const awaited = new Set<Route>();
  const { missing, changed, surplus } = routeDifference(desired, actual);
  for (const route of missing) set.push({ kind: 'route-set', route });
  for (const { wanted, actual: inForce } of changed) {
    const behind = laterOnes(routeKey(wanted), actual);
    const place = behind.findIndex((route) => isSameRoute(wanted, route));
    const found = behind[place];
    if (found === undefined) {
      // Replacing takes the first one's place.
      set.push({ kind: 'route-set', route: wanted });
    } else {
      // The kernel would refuse to replace the first by one that is there already: what is before it goes.
      awaited.add(found);
      remove.push(inForce, ...behind.slice(0, place).filter(({ protocol }) => protocol !== scope.protocol));
    }
  }
  for (const [key, route] of surplus) {
    const isOurs = route.protocol === scope.protocol || scope.routes?.has(key) === true;
    if (isOurs && !awaited.has(route)) remove.push(route);
  }
  return {
    // A route without a gateway may be what makes the gateway of another reachable.
    set: [...set.filter((step) => !hasGateway(step)), ...set.filter(hasGateway)],
    delete: [
      ...remove.filter((route) => gatewayIn(route)),
      ...remove.filter((route) => !gatewayIn(route)),
    ].map((route) => ({ kind: 'route-delete', route })),
  };
}

/** The routes of the same key behind the first, in the kernel's order. */
function laterOnes(key: string, actual: ReadonlyMap<string, Route>): readonly Route[] {
  const found: Route[] = [];
  for (let place = 2; ; place++) {
    const route = actual.get(routeKeyAt(key, place));
    if (route === undefined) return found;
    found.push(route);
  }
}

function gatewayIn(route: Route): boolean {
  return route.hops.some((hop) => hop.gateway !== undefined);
}

function hasGateway(step: RouteStep): boolean {
  return step.kind === 'route-set' && gatewayIn(step.route);
}

/** Keys routes in the order in which the kernel lists them, so that none of one key hides another. */
export function keyRoutes(routes: readonly Route[]): ReadonlyMap<string, Route> {
  const keyed = new Map<string, Route>();
  const places = new Map<string, number>();
  for (const route of routes) {
    const key = routeKey(route);
    if (!keyed.has(key)) {
      keyed.set(key, route);
      continue;
    }
    const place = (places.get(key) ?? 1) + 1;
    places.set(key, place);
    keyed.set(routeKeyAt(key, place), route);
  }
  return keyed;
}
