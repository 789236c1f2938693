// The actual rtnetlink state of a namespace, kept up to date from one reading and the notifications since. Not a cache that
// may be stale: `state()` takes in what is queued first, and what the kernel does without telling is read again.

import { NETLINK_ROUTE, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import type { Poller } from '../poller.ts';
import { LayeredMap } from './layered-map.ts';
import { takeRoute } from './mirror-routes.ts';
import {
  addressKey,
  type BridgePort,
  type FdbEntry,
  fdbKey,
  type InterfaceAddress,
  type Link,
  linkKey,
  type Neighbour,
  neighbourKey,
  portKey,
  type Route,
  type RouteState,
  type Rule,
  ruleKey,
} from './objects.ts';
import { hasOneRow } from './plan.ts';
import { KnownLinks, readLinkNames, readRouteState, readRoutes } from './read-state.ts';
import { type RouteChange, type RouteWatch, watchRoutes } from './watch.ts';

export interface RouteMirrorOptions {
  readonly netns?: Netns | undefined;
  /** Takes notifications in as they come, and calls `onChange`. Without one only `state()` does. */
  readonly poller?: Poller | undefined;
  /** Called after a change was taken in. */
  readonly onChange?: ((change: RouteChange) => void) | undefined;
}

type LinkChange = Extract<RouteChange, { kind: 'link' }>;

/** Holds sockets: close it. */
export class RouteMirror implements Disposable {
  readonly #links = new LayeredMap<Link>();
  readonly #ports = new LayeredMap<BridgePort>();
  readonly #addresses = new LayeredMap<InterfaceAddress>();
  readonly #neighbours = new LayeredMap<Neighbour>();
  readonly #fdb = new LayeredMap<FdbEntry>();
  readonly #routes = new LayeredMap<Route>();
  readonly #rules = new LayeredMap<Rule>();
  /** The key of the one row of each unicast MAC: a new remote replaces it without a word about the old one. */
  readonly #rows = new Map<string, string>();
  readonly #socket: NetlinkSocket;
  readonly #watch: RouteWatch;
  readonly #onChange: ((change: RouteChange) => void) | undefined;
  #allStale = true;
  #routesStale = false;
  #state: RouteState | undefined;

  constructor(options: RouteMirrorOptions = {}) {
    const { netns, poller, onChange } = options;
    this.#onChange = onChange;
    this.#socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns });
    try {
      // Subscribed before the first reading: what happens between the two is taken in twice, which does no harm.
      this.#watch = watchRoutes({ netns, poller, onChange: (change) => this.#take(change) });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /**
   * The state of this moment, with everything that this process has changed but IPv6 addresses: of those the kernel tells a
   * moment later, from a work queue. It does not change afterwards.
   */
  state(): RouteState {
    this.#watch.drain();
    if (this.#allStale) this.#readAll();
    else if (this.#routesStale) this.#readRoutes();
    this.#state ??= {
      links: this.#links.snapshot(),
      ports: this.#ports.snapshot(),
      addresses: this.#addresses.snapshot(),
      neighbours: this.#neighbours.snapshot(),
      fdb: this.#fdb.snapshot(),
      routes: this.#routes.snapshot(),
      rules: this.#rules.snapshot(),
    };
    return this.#state;
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #readAll(): void {
    const state = readRouteState(this.#socket);
    this.#links.replace(state.links);
    this.#ports.replace(state.ports);
    this.#addresses.replace(state.addresses);
    this.#neighbours.replace(state.neighbours);
    this.#fdb.replace(state.fdb);
    this.#routes.replace(state.routes);
    this.#rules.replace(state.rules);
    this.#rows.clear();
    for (const [key, entry] of state.fdb) if (hasOneRow(entry)) this.#rows.set(rowKey(entry), key);
    this.#allStale = false;
    this.#routesStale = false;
    this.#state = undefined;
  }

  #readRoutes(): void {
    this.#routes.replace(readRoutes(this.#socket, new KnownLinks(readLinkNames(this.#socket))));
    this.#routesStale = false;
    this.#state = undefined;
  }

  #take(change: RouteChange): void {
    this.#state = undefined;
    this.#takeIn(change);
    this.#onChange?.(change);
  }

  #takeIn(change: RouteChange): void {
    switch (change.kind) {
      case 'overrun':
        this.#allStale = true;
        return;
      case 'link':
        this.#takeLink(change);
        return;
      case 'port':
        put(this.#ports, portKey(change.object), change);
        return;
      case 'address':
        put(this.#addresses, addressKey(change.object), change);
        if (change.op === 'delete') this.#addressGone(change.object);
        return;
      case 'neighbour':
        put(this.#neighbours, neighbourKey(change.object), change);
        return;
      case 'fdb':
        this.#takeFdb(change);
        return;
      case 'route':
        this.#takeRoute(change);
        return;
      case 'rule':
        put(this.#rules, ruleKey(change.object), change);
        return;
      default:
        change satisfies never;
    }
  }

  #takeLink(change: LinkChange): void {
    const { object: link, op, port, formerName } = change;
    const key = linkKey(link);
    const before = this.#links.get(key);
    const isOther = before !== undefined && before.index !== link.index;
    // Everything is kept under names: a new name, or another link under an old one, concerns all of it.
    if (formerName !== undefined || (isOther && op === 'new')) this.#allStale = true;
    if (op === 'delete') {
      if (isOther) return;
      this.#links.delete(key);
      this.#linkGone(link.name);
      return;
    }
    this.#links.set(key, link);
    if (port !== undefined) this.#ports.set(link.name, port);
    else if (link.master === '') this.#ports.delete(link.name);
    // The kernel drops IPv4 routes of a link that goes down, and of its last address, without a notification.
    if (before?.up === true && link.up === false && this.#usesLink(link.name)) this.#routesStale = true;
  }

  /** With a link goes all that is on it; for most of it there are notifications, but not for all. */
  #linkGone(name: string): void {
    this.#ports.delete(name);
    const prefix = `${name} `;
    for (const map of [this.#addresses, this.#neighbours, this.#fdb]) {
      for (const key of map.snapshot().keys()) if (key.startsWith(prefix)) map.delete(key);
    }
    for (const row of this.#rows.keys()) if (row.startsWith(prefix)) this.#rows.delete(row);
    if (this.#usesLink(name)) this.#routesStale = true;
  }

  /** IPv6 tells of every route that it drops. */
  #usesLink(name: string): boolean {
    for (const { destination, hops } of this.#routes.snapshot().values()) {
      if (destination.family === 4 && hops.some((hop) => hop.link === name)) return true;
    }
    return false;
  }

  #addressGone({ link, prefix }: InterfaceAddress): void {
    if (prefix.family === 4 && this.#links.has(link)) this.#routesStale = true;
  }

  #takeFdb(change: Extract<RouteChange, { kind: 'fdb' }>): void {
    const { object: entry, op } = change;
    const { self } = entry;
    // Older kernels (6.1) tell of a row twice: as the device does, and once more without the remote (rtnl_fdb_notify).
    if (op === 'new' && self && entry.remote === undefined && this.#isVxlan(entry.link)) return;
    const key = fdbKey(entry);
    if (hasOneRow(entry)) {
      const row = rowKey(entry);
      const before = this.#rows.get(row);
      if (op === 'new') {
        if (before !== undefined && before !== key) this.#fdb.delete(before);
        this.#rows.set(row, key);
      } else if (before === key) this.#rows.delete(row);
    }
    put(this.#fdb, key, change);
    if (op === 'delete' && !self) this.#forgetPortRow(entry);
  }

  #isVxlan(link: string): boolean {
    return this.#links.get(link)?.detail.kind === 'vxlan';
  }

  /** When a port leaves, the kernel says that its rows are deleted from the bridge, not from which port. */
  #forgetPortRow(entry: FdbEntry): void {
    if (this.#links.get(entry.link)?.detail.kind !== 'bridge') return;
    for (const link of this.#links.snapshot().keys()) this.#fdb.delete(fdbKey({ ...entry, link }));
  }

  #takeRoute(change: Extract<RouteChange, { kind: 'route' }>): void {
    if (!takeRoute(this.#routes, change)) this.#routesStale = true;
  }
}

function rowKey({ link, mac, self }: FdbEntry): string {
  return `${link} ${mac} ${self}`;
}

function put<T>(
  map: LayeredMap<T>,
  key: string,
  change: { readonly op: 'new' | 'delete'; readonly object: T },
): void {
  if (change.op === 'new') map.set(key, change.object);
  else map.delete(key);
}
