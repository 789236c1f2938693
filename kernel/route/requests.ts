// Each kind of step as a netlink request: its message type, its flags, its body and how an operator names it. One table.
import type { IpAddress } from '../../net/address.ts';
import type { ByteWriter } from '../netlink/bytes.ts';
import {
  type NetlinkRequest,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from '../netlink/message.ts';
import { linkChanges } from './link-changes.ts';
import { hasOneRow } from './plan.ts';
import {
  type LinkIndexes,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTM_SETLINK,
} from './rtnetlink.ts';
import type { RouteStep } from './step.ts';
import {
  addressText,
  fdbText,
  linkText,
  neighbourText,
  portText,
  routeText,
  ruleText,
  vlanText,
} from './text.ts';
import { writeAddress, writeAddressDump } from './wire-address.ts';
import {
  writeGroupDelete,
  writeLinkAdd,
  writeLinkDump,
  writeLinkGroup,
  writeLinkQuery,
  writeLinkSet,
  writePort,
} from './wire-link.ts';
import { writeFdbEntry, writeNeighbour, writeNeighbourDump } from './wire-neighbour.ts';
import { writeRoute, writeRouteDelete, writeRouteDump, writeRouteQuery } from './wire-route.ts';
import { writeRule, writeRuleDump } from './wire-rule.ts';
import { writeVlan, writeVlanDump } from './wire-vlan.ts';

interface Encoding<S> {
  readonly type: number | ((step: S) => number);
  readonly flags: number | ((step: S) => number);
  readonly operation: string;
  /** Only asked for when the kernel refuses. */
  object(step: S): string;
  write(out: ByteWriter, step: S, links: LinkIndexes): void;
}

type StepOf<K extends RouteStep['kind']> = Extract<RouteStep, { readonly kind: K }>;
type Encodings = { readonly [K in RouteStep['kind']]: Encoding<StepOf<K>> };

const add = NLM_F_CREATE | NLM_F_EXCL;
const replace = NLM_F_CREATE | NLM_F_REPLACE;

const encodings: Encodings = {
  'link-add': {
    type: RTM_NEWLINK,
    flags: add,
    operation: 'add link',
    object: ({ link }) => linkText(link),
    write: (out, { link }, links) => writeLinkAdd(out, link, links),
  },
  'link-set': {
    // Only RTM_NEWLINK takes what belongs to a kind of link.
    type: ({ link, was }) => (linkChanges(link, was).detail === undefined ? RTM_SETLINK : RTM_NEWLINK),
    flags: 0,
    operation: 'set link',
    object: ({ link }) => linkText(link),
    write: (out, { link, was }, links) => writeLinkSet(out, link, { was, links }),
  },
  'link-delete': {
    type: RTM_DELLINK,
    flags: 0,
    operation: 'delete link',
    object: ({ link }) => link.name,
    write: (out, { link }) => writeLinkQuery(out, { name: link.name }),
  },
  'port-set': {
    type: RTM_NEWLINK,
    flags: 0,
    operation: 'set bridge port',
    object: ({ port }) => portText(port),
    write: (out, { port }) => writePort(out, port),
  },
  'vlan-set': {
    type: RTM_SETLINK,
    flags: 0,
    operation: 'set VLAN',
    object: vlanText,
    write: writeVlan,
  },
  'vlan-delete': {
    type: RTM_DELLINK,
    flags: 0,
    operation: 'delete VLAN',
    object: vlanText,
    write: writeVlan,
  },
  'address-add': {
    type: RTM_NEWADDR,
    flags: add,
    operation: 'add address',
    object: ({ address }) => addressText(address),
    write: (out, { address }, links) => writeAddress(out, address, links),
  },
  'address-delete': {
    type: RTM_DELADDR,
    flags: 0,
    operation: 'delete address',
    object: ({ address }) => addressText(address),
    write: (out, { address }, links) => writeAddress(out, address, links),
  },
  'neighbour-set': {
    type: RTM_NEWNEIGH,
    flags: replace,
    operation: 'set neighbour',
    object: ({ neighbour }) => neighbourText(neighbour),
    write: (out, { neighbour }, links) => writeNeighbour(out, neighbour, links),
  },
  'neighbour-delete': {
    type: RTM_DELNEIGH,
    flags: 0,
    operation: 'delete neighbour',
    object: ({ neighbour }) => neighbourText(neighbour),
    write: (out, { neighbour }, links) => writeNeighbour(out, neighbour, links),
  },
  'fdb-set': {
    type: RTM_NEWNEIGH,
    // A MAC of many remotes cannot be replaced, only added to.
    flags: ({ entry }) => (hasOneRow(entry) ? replace : NLM_F_CREATE | NLM_F_APPEND),
    operation: 'set FDB entry',
    object: ({ entry }) => fdbText(entry),
    write: (out, { entry }, links) => writeFdbEntry(out, entry, links),
  },
  'fdb-delete': {
    type: RTM_DELNEIGH,
    flags: 0,
    operation: 'delete FDB entry',
    object: ({ entry }) => fdbText(entry),
    write: (out, { entry }, links) => writeFdbEntry(out, entry, links),
  },
  'route-set': {
    type: RTM_NEWROUTE,
    flags: replace,
    operation: 'set route',
    object: ({ route }) => routeText(route),
    write: (out, { route }, links) => writeRoute(out, route, links),
  },
  'route-delete': {
    type: RTM_DELROUTE,
    flags: 0,
    operation: 'delete route',
    object: ({ route }) => routeText(route),
    write: (out, { route }, links) => writeRouteDelete(out, route, links),
  },
  'rule-add': {
    type: RTM_NEWRULE,
    flags: add,
    operation: 'add rule',
    object: ({ rule }) => ruleText(rule),
    write: (out, { rule }) => writeRule(out, rule),
  },
  'rule-delete': {
    type: RTM_DELRULE,
    flags: 0,
    operation: 'delete rule',
    object: ({ rule }) => ruleText(rule),
    write: (out, { rule }) => writeRule(out, rule),
  },
};

/** A request whose body still needs the numbers of links. */
export interface StepRequest {
  readonly type: number;
  readonly flags: number;
  readonly operation: string;
  readonly object: string;
  write(out: ByteWriter, links: LinkIndexes): void;
}

export function stepRequest(step: RouteStep): StepRequest {
  return bound(step.kind, step);
}

/** The one place where a step meets the entry of its own kind. */
function bound<K extends RouteStep['kind']>(kind: K, step: RouteStep): StepRequest {
  // `kind` is the step's own, so the entry takes this step.
  const encoding: Encoding<StepOf<K>> = encodings[kind];
  const own = step as StepOf<K>;
  return {
    type: numberFor(encoding.type, own),
    flags: numberFor(encoding.flags, own),
    operation: encoding.operation,
    get object() {
      return encoding.object(own);
    },
    write: (out, links) => encoding.write(out, own, links),
  };
}

function numberFor<S>(number: number | ((step: S) => number), step: S): number {
  return typeof number === 'number' ? number : number(step);
}

/** Asks for one link. */
export function linkRequest(link: { readonly name: string } | { readonly index: number }): NetlinkRequest {
  return {
    type: RTM_GETLINK,
    flags: 0,
    body: (out) => writeLinkQuery(out, link),
    operation: 'find link',
    object: 'name' in link ? link.name : `number ${link.index}`,
  };
}

interface NumberedLink {
  readonly name: string;
  readonly index: number;
}

/** Deletes the link of that number; the name is for errors. */
export function linkDeleteRequest({ name: object, index }: NumberedLink): NetlinkRequest {
  const body = (out: ByteWriter): void => writeLinkQuery(out, { index });
  return { type: RTM_DELLINK, flags: 0, body, operation: 'delete link', object };
}

/** Puts the link of that number into a group, to be deleted with it. */
export function groupSetRequest({ name: object, index }: NumberedLink, group: number): NetlinkRequest {
  const body = (out: ByteWriter): void => writeLinkGroup(out, { index, group });
  return { type: RTM_SETLINK, flags: 0, body, operation: 'delete link', object };
}

/** Deletes all links of a group. */
export function groupDeleteRequest(group: number): NetlinkRequest {
  const body = (out: ByteWriter): void => writeGroupDelete(out, group);
  return { type: RTM_DELLINK, flags: 0, body, operation: 'delete links', object: `group ${group}` };
}

/** Asks for the way to an address. */
export function routeQueryRequest(address: IpAddress): NetlinkRequest {
  return {
    type: RTM_GETROUTE,
    flags: 0,
    body: (out) => writeRouteQuery(out, address),
    operation: 'find the route to',
    object: `${address}`,
  };
}

function dump(type: number, object: string, body: (out: ByteWriter) => void): NetlinkRequest {
  return { type, flags: 0, body, operation: 'read', object };
}

/** Requests that dump a table of the kernel each. */
export const dumps = {
  links: dump(RTM_GETLINK, 'links', writeLinkDump),
  vlans: dump(RTM_GETLINK, 'VLANs of bridge ports', writeVlanDump),
  addresses: (family: 4 | 6, index?: number) =>
    dump(RTM_GETADDR, `IPv${family} addresses`, (out) => writeAddressDump(out, family, index)),
  routes: (family: 4 | 6) => dump(RTM_GETROUTE, `IPv${family} routes`, (out) => writeRouteDump(out, family)),
  neighbours: (family: 4 | 6) =>
    dump(RTM_GETNEIGH, `IPv${family} neighbours`, (out) => writeNeighbourDump(out, family)),
  fdb: dump(RTM_GETNEIGH, 'forwarding databases', (out) => writeNeighbourDump(out, 'bridge')),
  rules: (family: 4 | 6) => dump(RTM_GETRULE, `IPv${family} rules`, (out) => writeRuleDump(out, family)),
};
