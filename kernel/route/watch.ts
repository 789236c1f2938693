// Notifications of rtnetlink as changes of named objects. What they amount to is kept in mirror.ts.

import { DecodeError } from '../netlink/bytes.ts';
import { type DumpedMessage, NETLINK_ROUTE, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import type { Poller } from '../poller.ts';
import type { BridgePort, FdbEntry, InterfaceAddress, Link, Neighbour, Route, Rule } from './objects.ts';
import { readLinkNames } from './read-state.ts';
import {
  AF_BRIDGE,
  type LinkNames,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
} from './rtnetlink.ts';
import { readAddress } from './wire-address.ts';
import { type LinkReport, readLink, readPort } from './wire-link.ts';
import { readNeighbour } from './wire-neighbour.ts';
import { readRoute } from './wire-route.ts';
import { readRule } from './wire-rule.ts';

export type RouteObject =
  | {
      readonly kind: 'link';
      readonly object: Link;
      /** The link as a port of its bridge, if it is one. */
      readonly port?: BridgePort | undefined;
      /** Its name before, when this change is a new name. */
      readonly formerName?: string | undefined;
    }
  | { readonly kind: 'port'; readonly object: BridgePort }
  | { readonly kind: 'address'; readonly object: InterfaceAddress }
  | { readonly kind: 'route'; readonly object: Route }
  | { readonly kind: 'neighbour'; readonly object: Neighbour }
  | { readonly kind: 'fdb'; readonly object: FdbEntry }
  | { readonly kind: 'rule'; readonly object: Rule };

export type RouteChange =
  | (RouteObject & {
      /** "new" also tells of a change. */
      readonly op: 'new' | 'delete';
      /** NLM_F_*: how a new route came (NLM_F_REPLACE, NLM_F_APPEND). */
      readonly flags: number;
    })
  /** Notifications were lost or not understood: what is known must be read anew. */
  | { readonly kind: 'overrun' };

export interface RouteWatchOptions {
  readonly netns?: Netns | undefined;
  /** Calls when there is something to read; without one only `drain` reads. */
  readonly poller?: Poller | undefined;
  readonly onChange: (change: RouteChange) => void;
  /** Bytes of the kernel's receive buffer: how much may wait before an overrun. */
  readonly receiveBuffer?: number;
}

const groups = [
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_RULE,
];

/** Notifications about what was on a link may follow that of its deletion: so many deleted names are kept. */
const rememberedNames = 256;

export interface RouteWatch extends Disposable {
  /** Reports at once what is queued. What this process changed is queued when the change returns. */
  drain(): void;
  close(): void;
}

/** Subscribes to all that RouteState holds. What happens from now on is reported. */
export function watchRoutes(options: RouteWatchOptions): RouteWatch {
  return new KernelRouteWatch(options);
}

class KernelRouteWatch implements RouteWatch {
  readonly #socket: NetlinkSocket;
  readonly #onChange: (change: RouteChange) => void;
  readonly #names: WatchedNames;
  readonly #unwatch: (() => void) | undefined;
  readonly #netns: Netns | undefined;
  #open = true;

  constructor(options: RouteWatchOptions) {
    const { netns, poller, receiveBuffer } = options;
    this.#onChange = options.onChange;
    this.#netns = netns;
    this.#socket = new NetlinkSocket({
      protocol: NETLINK_ROUTE,
      netns,
      groups,
      receiveBuffer: receiveBuffer ?? 16 << 20,
    });
    try {
      // After subscribing, so that no link is missed; on another socket, so that no notification is taken for an answer.
      this.#names = new WatchedNames(this.#readNames());
      this.#unwatch = poller?.watch(this.#socket.fd, () => this.drain());
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  #readNames(): ReadonlyMap<number, string> {
    using socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: this.#netns });
    return readLinkNames(socket);
  }

  drain(): void {
    if (!this.#open) return;
    const { messages, overrun } = this.#socket.notifications();
    let lost = overrun;
    if (lost) this.#names.replace(this.#readNames());
    for (const message of messages) {
      try {
        for (const change of readChanges(message, this.#names)) this.#onChange(change);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        lost = true;
      }
    }
    if (lost) this.#onChange({ kind: 'overrun' });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#unwatch?.();
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class WatchedNames implements LinkNames {
  #names: Map<number, string>;
  readonly #former = new Map<number, string>();

  constructor(names: ReadonlyMap<number, string>) {
    this.#names = new Map(names);
  }

  nameOf(index: number): string | undefined {
    return this.#names.get(index) ?? this.#former.get(index);
  }

  replace(names: ReadonlyMap<number, string>): void {
    this.#names = new Map(names);
  }

  /** Returns the name it had before, if that was another. */
  add(index: number, name: string): string | undefined {
    const before = this.#names.get(index);
    this.#names.set(index, name);
    return before === name ? undefined : before;
  }

  remove(index: number): void {
    const name = this.#names.get(index);
    this.#names.delete(index);
    if (name === undefined) return;
    this.#former.set(index, name);
    const [oldest] = this.#former.keys();
    if (this.#former.size > rememberedNames && oldest !== undefined) this.#former.delete(oldest);
  }
}

/** The changes that one notification tells of. Throws DecodeError. */
export function* readChanges(
  message: DumpedMessage,
  names: LinkNames & LinkNameSink,
): Generator<RouteChange> {
  const { type, flags, body } = message;
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const op = type === RTM_NEWLINK ? 'new' : 'delete';
      if (body.peekU8() === AF_BRIDGE) {
        // Of this family RTM_DELLINK says that the link left its bridge.
        const port = readPort(body);
        if (port !== undefined) yield { kind: 'port', op, object: port, flags };
        return;
      }
      yield { ...linkObject(readLink(body, names), { op, names }), op, flags };
      return;
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const object = readAddress(body, names);
      if (object !== undefined)
        yield { kind: 'address', op: type === RTM_NEWADDR ? 'new' : 'delete', object, flags };
      return;
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const object = readRoute(body, names);
      if (object !== undefined)
        yield { kind: 'route', op: type === RTM_NEWROUTE ? 'new' : 'delete', object, flags };
      return;
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      const op = type === RTM_NEWNEIGH ? 'new' : 'delete';
      const report = readNeighbour(body, names);
      if (report?.kind === 'fdb') yield { kind: 'fdb', op, object: report.entry, flags };
      else if (report !== undefined) yield { kind: 'neighbour', op, object: report.neighbour, flags };
      return;
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const object = readRule(body);
      if (object !== undefined)
        yield { kind: 'rule', op: type === RTM_NEWRULE ? 'new' : 'delete', object, flags };
      return;
    }
    default:
      return;
  }
}

export interface LinkNameSink {
  add(index: number, name: string): string | undefined;
  remove(index: number): void;
}

function linkObject(
  report: LinkReport,
  options: { readonly op: 'new' | 'delete'; readonly names: LinkNameSink },
): RouteObject {
  const { index, link, port } = report;
  if (options.op === 'delete') {
    options.names.remove(index);
    return { kind: 'link', object: link, port };
  }
  return { kind: 'link', object: link, port, formerName: options.names.add(index, link.name) };
}
