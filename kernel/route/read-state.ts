// Reads the whole rtnetlink state of a namespace by dumps. Not how it is kept up to date afterwards: that is mirror.ts.
import type { NetlinkSocket } from '../netlink/netlink-socket.ts';
import {
  addressKey,
  type BridgePort,
  fdbKey,
  type Link,
  linkKey,
  neighbourKey,
  portKey,
  type Route,
  type RouteState,
  ruleKey,
} from './objects.ts';
import { keyRoutes } from './plan-routes.ts';
import { dumps } from './requests.ts';
import type { LinkNames } from './rtnetlink.ts';
import { readAddress } from './wire-address.ts';
import { readLink, readLinkName } from './wire-link.ts';
import { readNeighbour } from './wire-neighbour.ts';
import { readRoute } from './wire-route.ts';
import { readRule } from './wire-rule.ts';

/** A link that comes while the tables are read makes all be read again; when links come all the time, what is on them is left out. */
const attempts = 3;

/** Names by number as one dump of the links had them; remembers when it was asked for one that it does not have. */
export class KnownLinks implements LinkNames {
  readonly #names: Map<number, string>;
  #missed = false;

  constructor(names: ReadonlyMap<number, string>) {
    this.#names = new Map(names);
  }

  nameOf(index: number): string | undefined {
    const name = this.#names.get(index);
    this.#missed ||= name === undefined;
    return name;
  }

  get missed(): boolean {
    return this.#missed;
  }
}

export function readLinkNames(socket: NetlinkSocket): ReadonlyMap<number, string> {
  const found = socket.dump(dumps.links, ({ body }) => readLinkName(body));
  return new Map(found.map(({ index, name }) => [index, name]));
}

export function readRouteState(socket: NetlinkSocket): RouteState {
  for (let attempt = 1; ; attempt++) {
    const names = new KnownLinks(readLinkNames(socket));
    const state = readTables(socket, names);
    if (!names.missed || attempt === attempts) return state;
  }
}

/** The links, and those of them that are ports of a bridge. */
export function readLinks(socket: NetlinkSocket, names: LinkNames): Pick<RouteState, 'links' | 'ports'> {
  const links = new Map<string, Link>();
  const ports = new Map<string, BridgePort>();
  for (const { link, port } of socket.dump(dumps.links, ({ body }) => readLink(body, names))) {
    links.set(linkKey(link), link);
    if (port !== undefined) ports.set(portKey(port), port);
  }
  return { links, ports };
}

/** The routes of all tables of both families. */
export function readRoutes(socket: NetlinkSocket, names: LinkNames): ReadonlyMap<string, Route> {
  return keyRoutes([
    ...socket.dump(dumps.routes(4), ({ body }) => readRoute(body, names)),
    ...socket.dump(dumps.routes(6), ({ body }) => readRoute(body, names)),
  ]);
}

function readTables(socket: NetlinkSocket, names: LinkNames): RouteState {
  const both = [4, 6] as const;
  const neighbours = both.flatMap((family) =>
    socket.dump(dumps.neighbours(family), ({ body }) => readNeighbour(body, names)),
  );
  const fdb = socket.dump(dumps.fdb, ({ body }) => readNeighbour(body, names));
  return {
    ...readLinks(socket, names),
    addresses: keyed(
      both.flatMap((family) => socket.dump(dumps.addresses(family), ({ body }) => readAddress(body, names))),
      addressKey,
    ),
    neighbours: keyed(
      neighbours.flatMap((report) => (report.kind === 'neighbour' ? [report.neighbour] : [])),
      neighbourKey,
    ),
    fdb: keyed(
      fdb.flatMap((report) => (report.kind === 'fdb' ? [report.entry] : [])),
      fdbKey,
    ),
    routes: readRoutes(socket, names),
    rules: keyed(
      both.flatMap((family) => socket.dump(dumps.rules(family), ({ body }) => readRule(body))),
      ruleKey,
    ),
  };
}

function keyed<T>(objects: readonly T[], key: (object: T) => string): ReadonlyMap<string, T> {
  return new Map(objects.map((object) => [key(object), object]));
}
