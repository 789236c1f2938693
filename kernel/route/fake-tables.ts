// The tables of the fake kernel and what one change does to others: what goes with a link, with its being up, with an address.
// Written from what Linux does, not from plan.ts, so that the two check each other.
import type { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { firstVlan, type VlanMembers } from './fake-vlans.ts';
import {
  addressKey,
  type BridgePort,
  type FdbEntry,
  fdbKey,
  type InterfaceAddress,
  type Link,
  type LinkDetail,
  type Neighbour,
  neighbourKey,
  type Route,
  type RouteState,
  type Rule,
  ruleKey,
} from './objects.ts';
import { keyRoutes } from './plan-routes.ts';

const mainTable = 254;
const localTable = 255;
const kernelProtocol = 2;
/** Bytes that VXLAN puts before a frame, with an outer header of IPv4 and of IPv6. */
const vxlanHeadroom = { 4: 50, 6: 70 } as const;

export class FakeTables {
  readonly links = new Map<string, Link>();
  readonly peers = new Map<string, string>();
  readonly ports = new Map<string, BridgePort>();
  /** Of ports and bridges, by name. */
  readonly vlans = new Map<string, VlanMembers>();
  readonly addresses = new Map<string, InterfaceAddress>();
  readonly neighbours = new Map<string, Neighbour>();
  readonly fdb = new Map<string, FdbEntry>();
  readonly rules = new Map<string, Rule>();
  routes: Route[] = [];
  #lastIndex = 0;

  constructor(initial: RouteState) {
    for (const link of initial.links.values()) this.addLink(link);
    for (const [key, port] of initial.ports) this.ports.set(key, port);
    for (const address of initial.addresses.values()) this.addAddress(address);
    for (const [key, neighbour] of initial.neighbours) this.neighbours.set(key, neighbour);
    for (const [key, entry] of initial.fdb) this.fdb.set(key, entry);
    for (const [key, rule] of initial.rules) this.rules.set(key, rule);
    for (const route of initial.routes.values()) {
      if (route.protocol !== kernelProtocol) this.routes.push(route);
    }
  }

  snapshot(): RouteState {
    return {
      links: new Map(this.links),
      ports: new Map(this.ports),
      addresses: new Map(this.addresses),
      neighbours: new Map(this.neighbours),
      fdb: new Map(this.fdb),
      routes: keyRoutes(this.routes),
      rules: new Map(this.rules),
    };
  }

  /** Puts a link there with everything that the kernel fills in. */
  addLink(link: Link): void {
    this.#lastIndex += 1;
    const index = this.#lastIndex;
    const mac =
      link.mac ?? Mac.local(Uint8Array.from([2, 0, 0, index >> 16, (index >> 8) & 255, index & 255]));
    const up = link.up ?? false;
    this.links.set(link.name, {
      ...link,
      detail: filledIn(link.detail),
      mac: isWithoutMac(link.detail) ? undefined : mac,
      mtu: this.#firstMtu(link),
      up,
      master: link.master ?? '',
      alias: link.alias ?? '',
      promiscuous: link.promiscuous ?? false,
      txQueueLength: link.txQueueLength ?? (link.detail.kind === 'ifb' ? 32 : 1000),
      index,
      running: up,
    });
    if (link.detail.kind === 'bridge') this.vlans.set(link.name, firstVlan());
    this.#joined(link.name, link.master ?? '');
  }

  /** At creation the kernel makes a VXLAN device's MTU fit its underlay without a word. */
  #firstMtu(link: Link): number {
    const largest = this.largestMtu(link.detail);
    return Math.min(link.mtu ?? Math.min(largest, 1500), largest);
  }

  largestMtu(detail: LinkDetail): number {
    if (detail.kind !== 'vxlan' || detail.underlay === undefined) return 65_535;
    const underlay = this.links.get(detail.underlay)?.mtu ?? 1500;
    return underlay - vxlanHeadroom[detail.local?.family ?? 4];
  }

  #joined(name: string, master: string): void {
    if (master === '') this.ports.delete(name);
    else this.ports.set(name, { link: name, hairpin: false, isolated: false, learning: true });
    if (master !== '') this.vlans.set(name, firstVlan());
    else if (this.links.get(name)?.detail.kind !== 'bridge') this.vlans.delete(name);
    for (const [key, row] of this.fdb) if (row.link === name && !row.self) this.fdb.delete(key);
  }

  changeLink(link: Link, changes: Partial<Link>): void {
    const next = { ...link, ...changes };
    this.links.set(link.name, { ...next, running: next.up ?? false });
    if (changes.master !== undefined) this.#joined(link.name, changes.master);
    if (changes.mac !== undefined) deleteWhere(this.neighbours, (neighbour) => neighbour.link === link.name);
    if (changes.up === true) for (const address of this.#addressesOn(link.name)) this.#addConnected(address);
    if (changes.up === false) this.#drain(link.name);
  }

  /** A link went down: addresses of IPv4 stay, FDB rows stay, the rest goes. */
  #drain(name: string): void {
    deleteWhere(this.neighbours, ({ link }) => link === name);
    deleteWhere(this.addresses, ({ link, prefix }) => link === name && prefix.family === 6);
    this.routes = this.routes.flatMap((route) => {
      if (!route.hops.some(({ link }) => link === name) || route.type === 'local') return [route];
      // IPv4 keeps a multipath route while one hop lives, IPv6 takes the dead hop out.
      const alive = route.hops.filter(({ link }) => link !== name);
      if (alive.length === 0) return [];
      return route.destination.family === 4 ? [route] : [{ ...route, hops: alive }];
    });
    this.routes = this.routes.filter(
      ({ type, destination, hops }) => type !== 'local' || destination.family === 4 || hops[0]?.link !== name,
    );
  }

  deleteLink(name: string): void {
    const peer = this.peers.get(name);
    this.#forget(name);
    if (peer !== undefined) this.#forget(peer);
  }

  #forget(name: string): void {
    this.links.delete(name);
    this.peers.delete(name);
    this.ports.delete(name);
    this.vlans.delete(name);
    deleteWhere(this.addresses, ({ link }) => link === name);
    deleteWhere(this.neighbours, ({ link }) => link === name);
    deleteWhere(this.fdb, ({ link }) => link === name);
    this.routes = this.routes.flatMap((route) => {
      const alive = route.hops.filter(({ link }) => link !== name);
      if (alive.length === route.hops.length) return [route];
      return alive.length > 0 && route.destination.family === 6 ? [{ ...route, hops: alive }] : [];
    });
    for (const link of [...this.links.values()]) {
      if (link.master === name) this.changeLink(link, { master: '' });
      if (link.detail.kind === 'vxlan' && link.detail.underlay === name) this.deleteLink(link.name);
    }
  }

  #addressesOn(link: string): readonly InterfaceAddress[] {
    return [...this.addresses.values()].filter((address) => address.link === link);
  }

  addAddress(address: InterfaceAddress): void {
    const { prefix } = address;
    this.addresses.set(addressKey(address), {
      ...address,
      scope: address.scope ?? 'global',
      noDad: address.noDad ?? false,
      permanent: true,
      temporary: false,
      deprecated: false,
      tentative: false,
    });
    this.#put(localRoute(address.link, prefix.address));
    if (this.links.get(address.link)?.up === true) this.#addConnected(address);
  }

  #addConnected({ link, prefix }: InterfaceAddress): void {
    const destination = prefix.network();
    if (prefix.length === prefix.bits && prefix.family === 4) return;
    this.#put({
      destination,
      table: mainTable,
      priority: prefix.family === 4 ? 0 : 256,
      protocol: kernelProtocol,
      type: 'unicast',
      scope: prefix.family === 4 ? 'link' : undefined,
      hops: [{ link, onlink: false }],
      source: prefix.family === 4 ? prefix.address : undefined,
      mtu: 0,
      advmss: 0,
    });
  }

  /** Adds a route of the kernel's own unless it is there. */
  #put(route: Route): void {
    const isThere = this.routes.some(
      (other) =>
        other.protocol === kernelProtocol &&
        other.type === route.type &&
        other.destination.equals(route.destination) &&
        other.hops[0]?.link === route.hops[0]?.link,
    );
    if (!isThere) this.routes.push(route);
  }

  deleteAddress(address: InterfaceAddress): void {
    const { link, prefix } = address;
    const network = prefix.network();
    const same = this.#addressesOn(link).filter((other) => other.prefix.network().equals(network));
    // A primary address takes its secondaries along (promote_secondaries is off).
    const primary = same[0];
    const isPrimary = prefix.family === 4 && primary !== undefined && primary.prefix.equals(prefix);
    const gone = isPrimary ? same : [address];
    for (const each of gone) this.addresses.delete(addressKey(each));
    const isGone = (other: IpAddress): boolean => gone.some((each) => each.prefix.address.equals(other));
    const isLast = gone.length === same.length;
    this.routes = this.routes.flatMap((route) => {
      if (route.type === 'local' && route.hops[0]?.link === link && isGone(route.destination.address))
        return [];
      if (isLast && route.protocol === kernelProtocol && isConnected(route, { link, network })) return [];
      if (route.source === undefined || !isGone(route.source)) return [route];
      return prefix.family === 4 ? [] : [{ ...route, source: undefined }];
    });
    const isBare = this.#addressesOn(link).every((other) => other.prefix.family === 6);
    if (prefix.family === 4 && isBare) this.#disableIp(link);
  }

  /** With its last IPv4 address a link loses its IPv4 routes and neighbours. */
  #disableIp(name: string): void {
    deleteWhere(this.neighbours, ({ link, address }) => link === name && address.family === 4);
    this.routes = this.routes.filter(
      ({ destination, hops }) =>
        destination.family === 6 || hops.length === 0 || hops.some(({ link }) => link !== name),
    );
  }

  setNeighbour(neighbour: Neighbour): void {
    this.neighbours.set(neighbourKey(neighbour), neighbour);
  }

  setFdb(entry: FdbEntry): void {
    const { mac, link, self } = entry;
    if (!mac.isZero && !mac.isMulticast) {
      deleteWhere(this.fdb, (row) => row.link === link && row.self === self && row.mac.equals(mac));
    }
    this.fdb.set(fdbKey(entry), entry);
  }

  addRule(rule: Rule): void {
    this.rules.set(ruleKey(rule), rule);
  }
}

function isConnected(route: Route, where: { readonly link: string; readonly network: Prefix }): boolean {
  return route.hops[0]?.link === where.link && route.destination.equals(where.network);
}

function filledIn(detail: LinkDetail): LinkDetail {
  if (detail.kind === 'veth') return { kind: 'veth' };
  if (detail.kind === 'bridge') return { ...detail, vlanFiltering: detail.vlanFiltering ?? false };
  return detail.kind === 'vxlan' ? { ...detail, gbp: detail.gbp ?? false } : detail;
}

function isWithoutMac({ kind }: LinkDetail): boolean {
  return kind === 'tun' || kind === 'ipip' || kind === 'wireguard';
}

function localRoute(link: string, address: IpAddress): Route {
  return {
    destination: Prefix.host(address),
    table: localTable,
    priority: 0,
    protocol: kernelProtocol,
    type: 'local',
    scope: address.family === 4 ? 'host' : undefined,
    hops: [{ link, onlink: false }],
    source: address.family === 4 ? address : undefined,
    mtu: 0,
    advmss: 0,
  };
}

function deleteWhere<T>(map: Map<string, T>, isGone: (object: T) => boolean): void {
  for (const [key, object] of map) if (isGone(object)) map.delete(key);
}
