// Chooses the interface that carries traffic between nodes, and the address that other nodes reach this one by, as flannel
// does (ipmatch/match.go). A pure function of what was read, asked anew in each pass: it follows what changes.

import { selection } from '../kernel/route/layered-map.ts';
import type { InterfaceAddress, Link, Route, RouteState } from '../kernel/route/objects.ts';
import type { Family, IpAddress } from '../net/address.ts';
import { IpAddress as Address } from '../net/address.ts';
import type { RouteLookup } from './route-lookup.ts';

/** What the operator said. All empty: the interface of the default route. */
export interface UnderlaySettings {
  /** Names or addresses; the first that is there is taken. */
  readonly interfaces: readonly string[];
  /** Matched against the addresses of all interfaces, then against their names. */
  readonly patterns: readonly RegExp[];
  /** The interface that leads to this address. */
  readonly canReach: IpAddress | undefined;
  readonly publicIp: IpAddress | undefined;
  readonly publicIp6: IpAddress | undefined;
}

/** One family of the underlay. */
export interface UnderlayFamily {
  /** The interface's own address. */
  readonly address: IpAddress;
  /** The one that is told to other nodes; differs from `address` only behind address translation. */
  readonly publicIp: IpAddress;
}

export interface Underlay {
  readonly link: string;
  readonly mtu: number;
  readonly ip4: UnderlayFamily | undefined;
  readonly ip6: UnderlayFamily | undefined;
}

export type UnderlayChoice =
  | { readonly kind: 'found'; readonly underlay: Underlay }
  | { readonly kind: 'missing'; readonly reason: string };

export interface UnderlayInput {
  readonly settings: UnderlaySettings;
  /** The families of the cluster's network: each needs an address. */
  readonly families: readonly Family[];
  readonly routeTo: RouteLookup;
  /** Links that Netloom makes: neither they nor a bridge's ports are the underlay, whatever a pattern says. */
  readonly ownLinks: ReadonlySet<string>;
}

/** Holds the addresses of services where a proxy works in IPVS mode: no other node reaches this one by them. */
const serviceLink = 'kube-ipvs0';

interface Candidate {
  readonly link: Link;
  /** The address that the setting itself named or matched. */
  readonly address?: IpAddress | undefined;
}

export function chooseUnderlay(state: RouteState, input: UnderlayInput): UnderlayChoice {
  const links = [...state.links.values()].filter(
    ({ name, master = '' }) =>
      name !== 'lo' && name !== serviceLink && !input.ownLinks.has(name) && !input.ownLinks.has(master),
  );
  const seen: Seen = { state, links };
  const found = chooseLink(seen, input);
  return typeof found === 'string' ? missing(`${found}; ${describe(seen)}`) : complete(seen, found, input);
}

interface Seen {
  readonly state: RouteState;
  readonly links: readonly Link[];
}

/** The candidate, or why there is none. */
function chooseLink(seen: Seen, { settings, families, routeTo }: UnderlayInput): Candidate | string {
  const { interfaces, patterns, canReach } = settings;
  if (interfaces.length > 0) {
    return (
      first(interfaces, (name) => byNameOrAddress(seen, name)) ??
      `Cannot find an interface for setting "iface" (${quoteList(interfaces)})`
    );
  }
  if (patterns.length > 0) {
    return (
      first(patterns, (pattern) => byPattern(seen, pattern)) ??
      `Cannot find an interface for setting "iface-regex" (${quoteList(patterns.map((pattern) => pattern.source))})`
    );
  }
  if (canReach !== undefined) {
    const stop = routeTo(canReach);
    const link = seen.links.find(({ name }) => name === stop?.link);
    if (link !== undefined) return { link, address: stop?.source };
    return `Cannot find an interface for setting "iface-can-reach": there is no route to "${canReach}"`;
  }
  const lookup = settings.publicIp ?? settings.publicIp6;
  if (lookup !== undefined) {
    return (
      byNameOrAddress(seen, lookup.toString()) ??
      `Cannot find the interface that has the address of setting "public-ip" ("${lookup}"): if it is translated on the way, name the interface with setting "iface"`
    );
  }
  return byDefaultRoute(seen, families);
}

function byNameOrAddress({ state, links }: Seen, wanted: string): Candidate | undefined {
  const address = Address.tryParse(wanted);
  if (address === undefined) {
    const link = links.find(({ name }) => name === wanted);
    return link === undefined ? undefined : { link };
  }
  const holder = [...state.addresses.values()].find(({ prefix }) => prefix.address.equals(address));
  const link = links.find(({ name }) => name === holder?.link);
  return link === undefined ? undefined : { link, address };
}

function byPattern(seen: Seen, pattern: RegExp): Candidate | undefined {
  for (const link of seen.links) {
    const match = ranked(seen.state, link.name).find((address) => pattern.test(address.toString()));
    if (match !== undefined) return { link, address: match };
  }
  const link = seen.links.find(({ name }) => pattern.test(name));
  return link === undefined ? undefined : { link };
}

const defaultRoutes = selection<Route>(
  ({ destination, table, type }) => destination.length === 0 && table === 254 && type === 'unicast',
);

function byDefaultRoute({ state, links }: Seen, families: readonly Family[]): Candidate | string {
  const family = families.includes(4) ? 4 : 6;
  const best = defaultRoutes(state.routes)
    .filter(({ destination, hops }) => {
      const leads = links.some(({ name, up }) => name === hops[0]?.link && up !== false);
      return destination.family === family && leads;
    })
    .sort((one, other) => one.priority - other.priority)[0];
  const link = links.find(({ name }) => name === best?.hops[0]?.link);
  if (link !== undefined) return { link };
  return `Cannot find the underlay: there is no IPv${family} default route, and none of the settings "iface", "iface-regex", "iface-can-reach" and "public-ip" names an interface`;
}

function complete(seen: Seen, candidate: Candidate, { settings, families }: UnderlayInput): UnderlayChoice {
  const { name, mtu = 0 } = candidate.link;
  if (mtu <= 0) return missing(`Cannot use interface "${name}" as the underlay: its MTU is ${mtu}`);
  const result: { 4: UnderlayFamily | undefined; 6: UnderlayFamily | undefined } = {
    4: undefined,
    6: undefined,
  };
  for (const family of families) {
    const address =
      candidate.address?.family === family
        ? candidate.address
        : ranked(seen.state, name).find((one) => one.family === family);
    if (address === undefined) {
      return missing(
        `Cannot use interface "${name}" as the underlay: it has no IPv${family} address; ${describe(seen)}`,
      );
    }
    const override = family === 4 ? settings.publicIp : settings.publicIp6;
    result[family] = { address, publicIp: override ?? address };
  }
  return { kind: 'found', underlay: { link: name, mtu, ip4: result[4], ip6: result[6] } };
}

function missing(reason: string): UnderlayChoice {
  return { kind: 'missing', reason };
}

/** A link's addresses, best first: global before link-local, permanent before leased, lasting before temporary or deprecated. */
function ranked(state: RouteState, link: string): readonly IpAddress[] {
  return [...state.addresses.values()]
    .filter((address) => address.link === link && !address.prefix.address.isLoopback)
    .map((address, order) => ({ address, order }))
    .sort((one, other) => penalty(one.address) - penalty(other.address) || one.order - other.order)
    .map(({ address }) => address.prefix.address);
}

function penalty({ prefix, scope, permanent, temporary, deprecated }: InterfaceAddress): number {
  const local = prefix.address.isLinkLocal || (scope !== undefined && scope !== 'global' && scope !== 'site');
  return (local ? 8 : 0) + (deprecated ? 4 : 0) + (temporary ? 2 : 0) + (permanent === false ? 1 : 0);
}

function first<T>(wishes: readonly T[], find: (wish: T) => Candidate | undefined): Candidate | undefined {
  for (const wish of wishes) {
    const found = find(wish);
    if (found !== undefined) return found;
  }
  return undefined;
}

function describe({ state, links }: Seen): string {
  if (links.length === 0) return 'there is no interface but loopback';
  const list = links.map(({ name, up }) => {
    const addresses = ranked(state, name).join(' ');
    return `${name}${up === false ? ' (down)' : ''}${addresses === '' ? '' : ` ${addresses}`}`;
  });
  return `the interfaces are: ${list.join(', ')}`;
}

function quoteList(texts: readonly string[]): string {
  return texts.map((text) => `"${text}"`).join(', ');
}
