// The part of a plan that concerns links, and what its steps do to everything that hangs on them: the kernel drops
// addresses, neighbours, FDB rows and routes with their link, and some of them when it goes down.
import { isOtherLink, linkChanges } from './link-changes.ts';
import type { BridgePort, Link, Route, RouteState } from './objects.ts';
import type { RouteScope, RouteStep } from './step.ts';

export interface LinkPlan {
  /** Links in the way of others: deleted before anything is added. */
  readonly deleteFirst: readonly RouteStep[];
  /** Additions, underlays and bridges before what hangs on them. */
  readonly add: readonly RouteStep[];
  readonly set: readonly RouteStep[];
  readonly deleteLast: readonly RouteStep[];
  /** What of the actual state is left once all steps but `deleteLast` are done. */
  readonly left: RouteState;
}

export function planLinks(desired: RouteState, actual: RouteState, scope: RouteScope): LinkPlan {
  const mine = [...actual.links.values()].filter((link) => scope.links.has(link.name));
  const remade = mine.filter((link) => {
    const wanted = desired.links.get(link.name);
    return wanted !== undefined && isOtherLink(wanted, link);
  });
  const unwanted = mine.filter((link) => !desired.links.has(link.name));
  const first = [...remade, ...unwanted.filter((link) => isInTheWay(link, desired, actual))];
  const gone = withDependants(first, actual.links);
  const missing = [...desired.links.values()].filter((link) => {
    const found = actual.links.get(link.name);
    // A foreign link of our name stays: the kernel's refusal (EEXIST) tells the operator about it on every pass.
    return found === undefined || gone.has(link.name) || isOtherLink(link, found);
  });
  const added = new Set(missing.map((link) => link.name));
  const set: { link: Link; was: Link }[] = [];
  for (const link of desired.links.values()) {
    const found = actual.links.get(link.name);
    if (found === undefined || added.has(link.name)) continue;
    const was = found.master !== undefined && gone.has(found.master) ? { ...found, master: '' } : found;
    if (Object.keys(linkChanges(link, was)).length > 0) set.push({ link, was });
  }
  return {
    // One of which the kernel takes another along (a VXLAN device with its underlay) needs no step of its own.
    deleteFirst: first
      .filter((link) => !isTakenAlong(link, gone, actual.links))
      .map((link) => ({ kind: 'link-delete', link })),
    add: parentsFirst(missing).map((link) => ({ kind: 'link-add', link })),
    set: set.map(({ link, was }) => ({ kind: 'link-set', link, was })),
    deleteLast: unwanted
      .filter((link) => !gone.has(link.name))
      .map((link) => ({ kind: 'link-delete', link })),
    left: remains(actual, {
      gone,
      drained: drainedLinks(desired, actual),
      moved: linksWith('master', set),
      readdressed: linksWith('mac', set),
    }),
  };
}

/** The kernel refuses a second VXLAN device of one VNI and port. */
function isInTheWay(link: Link, desired: RouteState, actual: RouteState): boolean {
  const { detail } = link;
  if (detail.kind !== 'vxlan') return false;
  return [...desired.links.values()].some(
    ({ name, detail: wanted }) =>
      wanted.kind === 'vxlan' &&
      wanted.vni === detail.vni &&
      wanted.port === detail.port &&
      (actual.links.get(name) === undefined ||
        isOtherLink({ name, detail: wanted }, actual.links.get(name) ?? link)),
  );
}

function underlayOf(link: Link): string | undefined {
  return link.detail.kind === 'vxlan' ? link.detail.underlay : undefined;
}

/** The links themselves and the VXLAN devices that the kernel deletes with them. */
function withDependants(links: readonly Link[], all: ReadonlyMap<string, Link>): ReadonlySet<string> {
  const gone = new Set(links.map((link) => link.name));
  if (gone.size === 0) return gone;
  // A device may lie on a device that lies on a deleted one: repeat until nothing more goes.
  for (let before = 0; before !== gone.size; ) {
    before = gone.size;
    for (const link of all.values()) if (gone.has(underlayOf(link) ?? '')) gone.add(link.name);
  }
  return gone;
}

function isTakenAlong(link: Link, gone: ReadonlySet<string>, all: ReadonlyMap<string, Link>): boolean {
  const underlay = underlayOf(link);
  return underlay !== undefined && gone.has(underlay) && all.has(underlay);
}

/** Sorted so that each link comes after its underlay and its bridge, as far as they are in the list. */
export function parentsFirst(links: readonly Link[]): readonly Link[] {
  const byName = new Map(links.map((link) => [link.name, link]));
  const sorted = new Set<Link>();
  const visited = new Set<string>();
  const visit = (link: Link): void => {
    if (visited.has(link.name)) return;
    visited.add(link.name);
    for (const parent of [underlayOf(link), link.master]) {
      const found = parent === undefined ? undefined : byName.get(parent);
      if (found !== undefined) visit(found);
    }
    sorted.add(link);
  };
  for (const link of links) visit(link);
  return [...sorted];
}

/** Links that are down or go down in this plan: their routes and permanent neighbours are lost, whatever was read before. */
function drainedLinks(desired: RouteState, actual: RouteState): ReadonlySet<string> {
  const drained = new Set<string>();
  for (const link of actual.links.values()) {
    const wanted = desired.links.get(link.name)?.up;
    if (wanted !== undefined && (link.up === false || wanted === false)) drained.add(link.name);
  }
  return drained;
}

function linksWith(
  option: keyof Link,
  set: readonly { readonly link: Link; readonly was: Link }[],
): ReadonlySet<string> {
  return new Set(
    set.filter(({ link, was }) => option in linkChanges(link, was)).map(({ link }) => link.name),
  );
}

/** Keeps the very map when everything in it is kept: comparing unchanged maps is what most plans do. */
export function filtered<T>(
  map: ReadonlyMap<string, T>,
  keep: (object: T) => boolean,
): ReadonlyMap<string, T> {
  let lost = false;
  for (const object of map.values()) {
    if (keep(object)) continue;
    lost = true;
    break;
  }
  return lost ? new Map([...map].filter(([, object]) => keep(object))) : map;
}

/** True for a route of which a hop leaves by one of the links. */
export function usesLink(route: Route, links: ReadonlySet<string>): boolean {
  return route.hops.some((hop) => hop.link !== undefined && links.has(hop.link));
}

function remains(
  state: RouteState,
  lost: {
    readonly gone: ReadonlySet<string>;
    readonly drained: ReadonlySet<string>;
    /** A port that changes its bridge starts there with the bridge's defaults. */
    readonly moved: ReadonlySet<string>;
    /** A link that gets another MAC loses its neighbours, permanent ones too (neigh_changeaddr). */
    readonly readdressed: ReadonlySet<string>;
  },
): RouteState {
  const { gone, drained, moved, readdressed } = lost;
  if (gone.size + drained.size + moved.size + readdressed.size === 0) return state;
  const isPortLost = (port: BridgePort): boolean => {
    const master = state.links.get(port.link)?.master;
    return gone.has(port.link) || moved.has(port.link) || (master !== undefined && gone.has(master));
  };
  return {
    links: filtered(state.links, (link) => !gone.has(link.name)),
    ports: filtered(state.ports, (port) => !isPortLost(port)),
    // IPv6 addresses go when a link goes down (unless keep_addr_on_down), IPv4 addresses stay.
    addresses: filtered(
      state.addresses,
      ({ link, prefix }) => !gone.has(link) && (prefix.family === 4 || !drained.has(link)),
    ),
    neighbours: filtered(
      state.neighbours,
      ({ link }) => !gone.has(link) && !drained.has(link) && !readdressed.has(link),
    ),
    fdb: filtered(state.fdb, ({ link, self }) => !gone.has(link) && (self || !moved.has(link))),
    routes: withoutHops(state.routes, new Set([...gone, ...drained])),
    rules: state.rules,
  };
}

/** Of a multipath route only the hops by these links go; whether the kernel drops the rest too depends on family and cause. */
function withoutHops(
  routes: ReadonlyMap<string, Route>,
  links: ReadonlySet<string>,
): ReadonlyMap<string, Route> {
  const left = new Map<string, Route>();
  for (const [key, route] of routes) {
    const hops = route.hops.filter(({ link }) => link === undefined || !links.has(link));
    if (hops.length === route.hops.length) left.set(key, route);
    else if (hops.length > 0) left.set(key, { ...route, hops });
  }
  return left;
}
