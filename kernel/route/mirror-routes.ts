// One notification about a route taken into a mirrored table: simple but for routes that share a key.
import { NLM_F_REPLACE } from '../netlink/message.ts';
import type { LayeredMap } from './layered-map.ts';
import { type Route, routeKey, routeKeyAt } from './objects.ts';
import { isSameRoute } from './plan-routes.ts';
import type { RouteChange } from './watch.ts';

/** Routes that the kernel itself adds for addresses and links (RTPROT_KERNEL). */
const kernelProtocol = 2;

/**
 * Takes the change in. False when the notification does not tell enough (where among routes of one key the route is, what
 * became of the other hops): then the table must be read anew.
 */
export function takeRoute(
  routes: LayeredMap<Route>,
  change: Extract<RouteChange, { readonly kind: 'route' }>,
): boolean {
  const { object: route, op, flags } = change;
  const key = routeKey(route);
  const sharing = sharingRoutes(routes, key);
  const [before] = sharing;
  const isManyHops = [route, ...sharing].some(({ hops }) => hops.length > 1);
  if (isManyHops && route.destination.family === 6) return false;
  const place = sharing.findIndex((other) => isSameRoute(route, other));
  // Each link has its own fe80::/64 and ff00::/8; among the kernel's own routes the order does not matter.
  const isOrdered =
    sharing.some(({ protocol }) => protocol !== kernelProtocol) || route.protocol !== kernelProtocol;
  if (sharing.length > 1 && isOrdered) return false;
  if (op === 'delete') {
    if (sharing.length === 0) return true;
    if (place < 0) return false;
    const last = sharing.at(-1);
    if (last !== undefined) routes.set(routeKeyAt(key, place + 1), last);
    routes.delete(routeKeyAt(key, sharing.length));
    return true;
  }
  if (place >= 0) routes.set(routeKeyAt(key, place + 1), route);
  else if (before === undefined || (isOrdered && (flags & NLM_F_REPLACE) !== 0)) routes.set(key, route);
  else if (isOrdered) return false;
  else routes.set(routeKeyAt(key, sharing.length + 1), route);
  return true;
}

function sharingRoutes(routes: LayeredMap<Route>, key: string): readonly Route[] {
  const found: Route[] = [];
  for (let place = 1; ; place++) {
    const route = routes.get(routeKeyAt(key, place));
    if (route === undefined) return found;
    found.push(route);
  }
}
