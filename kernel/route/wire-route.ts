// Routes as rtnetlink messages (struct rtmsg, struct rtnexthop, RTA_* of linux/rtnetlink.h).
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { at, attributeTable, nest, type TableValue } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { type Codec, ipAddress, u32 } from '../netlink/codec.ts';
import type { NextHop, Route, RouteType } from './objects.ts';
import {
  AF_INET,
  decoded,
  familyNumber,
  familyOf,
  type LinkIndexes,
  type LinkNames,
  messageOf,
  numbered,
  rtmsg,
} from './rtnetlink.ts';
import { scopes } from './wire-address.ts';

const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RT_TABLE_UNSPEC = 0;
const nextHopHeaderSize = 8;

const types = numbered({
  // RTN_UNSPEC stands for whatever has no name here (anycast, nat); it is never written.
  other: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} satisfies Record<RouteType, number>);

/** Types of routes that lead nowhere: what the kernel shows as their hop (IPv6: the loopback) means nothing. */
const hopless: ReadonlySet<RouteType> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);

/** struct rtvia: a gateway of another family than the destination's. */
const via: Codec<IpAddress> = {
  write(out, value) {
    out.u16(familyNumber(value.family));
    out.raw(value.bytes);
  },
  read(input) {
    input.skip(2);
    return ipAddress.read(input);
  },
};

const hopAttributes = attributeTable({ RTA_GATEWAY: at(5, ipAddress), RTA_VIA: at(18, via) });

interface WireHop {
  readonly flags: number;
  /** One less than the weight (rtnh_hops). */
  readonly hops: number;
  readonly index: number;
  readonly attributes: TableValue<typeof hopAttributes>;
}

/** The payload of RTA_MULTIPATH: struct rtnexthop, each followed by its attributes within rtnh_len. */
const multipath: Codec<readonly WireHop[]> = {
  write(out, hops) {
    for (const hop of hops) {
      out.align();
      const start = out.length;
      out.u16(0);
      out.u8(hop.flags);
      out.u8(hop.hops);
      out.i32(hop.index);
      hopAttributes.write(out, hop.attributes);
      out.patchU16(start, out.length - start);
    }
  },
  read(input) {
    const hops: WireHop[] = [];
    while (input.remaining >= nextHopHeaderSize) {
      const length = input.u16();
      const flags = input.u8();
      const weight = input.u8();
      const index = input.i32();
      if (length < nextHopHeaderSize)
        throw new DecodeError(`Cannot read a next hop: its length is ${length}`);
      const attributes = hopAttributes.read(input.slice(length - nextHopHeaderSize));
      input.skipPadding(length);
      hops.push({ flags, hops: weight, index, attributes });
    }
    return hops;
  },
};

export const routeMessage = messageOf(
  rtmsg,
  attributeTable({
    RTA_DST: at(1, ipAddress),
    RTA_OIF: at(4, u32),
    RTA_GATEWAY: at(5, ipAddress),
    RTA_PRIORITY: at(6, u32),
    RTA_PREFSRC: at(7, ipAddress),
    RTA_METRICS: nest(8, attributeTable({ RTAX_MTU: at(2, u32), RTAX_ADVMSS: at(8, u32) }), {
      unmarked: true,
    }),
    RTA_MULTIPATH: at(9, multipath),
    RTA_TABLE: at(15, u32),
    RTA_VIA: at(18, via),
  }),
);

type RouteAttributes = TableValue<typeof routeMessage>['attributes'];

/** Body of RTM_NEWROUTE. Throws KernelError when a hop's link is not there. */
export function writeRoute(out: ByteWriter, route: Route, links: LinkIndexes): void {
  const metrics = { RTAX_MTU: positive(route.mtu), RTAX_ADVMSS: positive(route.advmss) };
  const hasMetrics = metrics.RTAX_MTU !== undefined || metrics.RTAX_ADVMSS !== undefined;
  write(out, route, {
    links,
    scope: scopes.numberOf(route.scope ?? defaultScope(route)),
    attributes: { RTA_PREFSRC: route.source, RTA_METRICS: hasMetrics ? metrics : undefined },
  });
}

/** Body of RTM_DELROUTE: whatever the scope, the preferred source and the metrics. */
export function writeRouteDelete(out: ByteWriter, route: Route, links: LinkIndexes): void {
  write(out, route, { links, scope: scopes.numberOf('nowhere'), attributes: {} });
}

function write(
  out: ByteWriter,
  route: Route,
  options: { readonly links: LinkIndexes; readonly scope: number; readonly attributes: RouteAttributes },
): void {
  if (route.type === 'other')
    throw new TypeError(`Cannot encode route "${route.destination}": its type is not known`);
  const { destination } = route;
  const { family } = destination;
  const only = route.hops.length === 1 ? route.hops[0] : undefined;
  routeMessage.write(out, {
    header: {
      family: familyNumber(family),
      destinationLength: destination.length,
      sourceLength: 0,
      tos: 0,
      table: route.table < 256 ? route.table : RT_TABLE_UNSPEC,
      protocol: route.protocol,
      scope: options.scope,
      type: types.numberOf(route.type),
      flags: only?.onlink === true ? RTNH_F_ONLINK : 0,
    },
    attributes: {
      RTA_DST: destination.length === 0 ? undefined : destination.address,
      RTA_OIF: only?.link === undefined ? undefined : options.links.indexOf(only.link),
      RTA_PRIORITY: route.priority === 0 ? undefined : route.priority,
      RTA_MULTIPATH:
        route.hops.length > 1
          ? route.hops.map((hop) => wireHop(hop, { family, links: options.links }))
          : undefined,
      RTA_TABLE: route.table,
      ...(only === undefined ? {} : gateway(only, family)),
      ...options.attributes,
    },
  });
}

function positive(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

/** As `ip route` does: a route without a gateway reaches only its link. IPv6 knows no scopes. */
function defaultScope(route: Route): 'global' | 'link' | 'host' {
  if (route.destination.family === 6) return 'global';
  if (route.type === 'local') return 'host';
  if (route.type === 'broadcast') return 'link';
  return route.type === 'unicast' &&
    route.hops.length > 0 &&
    route.hops.every((hop) => hop.gateway === undefined)
    ? 'link'
    : 'global';
}

function gateway(hop: NextHop, family: 4 | 6): TableValue<typeof hopAttributes> {
  if (hop.gateway === undefined) return {};
  return hop.gateway.family === family ? { RTA_GATEWAY: hop.gateway } : { RTA_VIA: hop.gateway };
}

function wireHop(hop: NextHop, options: { readonly family: 4 | 6; readonly links: LinkIndexes }): WireHop {
  return {
    flags: hop.onlink === true ? RTNH_F_ONLINK : 0,
    hops: (hop.weight ?? 1) - 1,
    index: hop.link === undefined ? 0 : options.links.indexOf(hop.link),
    attributes: gateway(hop, options.family),
  };
}

/** Body of RTM_GETROUTE that dumps all tables of a family. */
export function writeRouteDump(out: ByteWriter, family: 4 | 6): void {
  routeMessage.write(out, { header: emptyHeader(familyNumber(family)), attributes: {} });
}

/** Body of RTM_GETROUTE that asks which way packets to one address go. */
export function writeRouteQuery(out: ByteWriter, address: IpAddress): void {
  routeMessage.write(out, {
    header: { ...emptyHeader(familyNumber(address.family)), destinationLength: address.bytes.length * 8 },
    attributes: { RTA_DST: address },
  });
}

function emptyHeader(family: number): TableValue<typeof rtmsg> {
  return {
    family,
    destinationLength: 0,
    sourceLength: 0,
    tos: 0,
    table: 0,
    protocol: 0,
    scope: 0,
    type: 0,
    flags: 0,
  };
}

/** Undefined for a family that is not ours (multicast routing, MPLS) and for an entry of a cache, unless `cached`. */
export function readRoute(
  input: ByteReader,
  names: LinkNames,
  options: { readonly cached?: boolean } = {},
): Route | undefined {
  const { header, attributes } = routeMessage.read(input);
  const family = familyOf(header.family);
  if (family === undefined) return undefined;
  if ((header.flags & RTM_F_CLONED) !== 0 && options.cached !== true) return undefined;
  const type = types.nameOf(header.type) ?? 'other';
  const address = attributes.RTA_DST ?? IpAddress.fromBigInt(family, 0n);
  if (address.family !== family)
    throw new DecodeError(`Cannot read a route: ${address} is of another family`);
  return {
    destination: decoded('route', () => new Prefix(address, header.destinationLength)),
    table: attributes.RTA_TABLE ?? header.table,
    priority: attributes.RTA_PRIORITY ?? 0,
    protocol: header.protocol,
    type,
    scope: header.family === AF_INET ? (scopes.nameOf(header.scope) ?? 'global') : undefined,
    hops: hopless.has(type) ? [] : readHops(attributes, { flags: header.flags, names }),
    source: attributes.RTA_PREFSRC,
    mtu: attributes.RTA_METRICS?.RTAX_MTU ?? 0,
    advmss: attributes.RTA_METRICS?.RTAX_ADVMSS ?? 0,
  };
}

function readHops(
  attributes: RouteAttributes,
  options: { readonly flags: number; readonly names: LinkNames },
): readonly NextHop[] {
  const { names } = options;
  const many = attributes.RTA_MULTIPATH;
  if (many !== undefined) {
    return many.map((hop) => ({
      gateway: hop.attributes.RTA_GATEWAY ?? hop.attributes.RTA_VIA,
      link: names.nameOf(hop.index),
      onlink: (hop.flags & RTNH_F_ONLINK) !== 0,
      weight: hop.hops + 1,
    }));
  }
  const to = attributes.RTA_GATEWAY ?? attributes.RTA_VIA;
  const index = attributes.RTA_OIF;
  if (to === undefined && index === undefined) return [];
  return [
    {
      gateway: to,
      link: index === undefined ? undefined : names.nameOf(index),
      onlink: (options.flags & RTNH_F_ONLINK) !== 0,
    },
  ];
}
