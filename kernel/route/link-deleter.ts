// Deletes links without waiting until the kernel has freed them. The send of RTM_DELLINK returns only after an RCU barrier (15 to
// 30 ms), although the link is unlisted and announced as gone after 2: so a thread of the pool waits, and the announcement counts.
import { randomInt } from 'node:crypto';
import { isNotFound } from '../kernel-error.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { Poller } from '../poller.ts';
import { groupDeleteRequest, groupSetRequest, linkDeleteRequest, linkRequest } from './requests.ts';
import { AF_UNSPEC, ifinfomsg, RTM_DELLINK, RTNLGRP_LINK } from './rtnetlink.ts';
import { readLinkGroup } from './wire-link.ts';

export interface LinkDeleter {
  /**
   * True when the link was there and is gone: the kernel has announced it and no lookup finds it, nor its peer if it was one of
   * a pair. False when there is none of that name, or when it goes by a call before this one. Rejects with KernelError.
   */
  delete(name: string): Promise<boolean>;
  /** Resolves when all deletions have ended and no thread is busy with one. */
  close(): Promise<void>;
}

export interface LinkDeleterOptions {
  readonly netns?: Netns | undefined;
  /** Waits for the announcements. Without one the deleter has its own, which runs only during deletions. */
  readonly poller?: Poller | undefined;
}

export function openLinkDeleter(options: LinkDeleterOptions = {}): LinkDeleter {
  return new KernelLinkDeleter(options);
}

/** Sends at once: each occupies one of the four threads of the pool, the poller another. */
const mostSends = 2;

/** Links of one send. */
const mostTogether = 256;

/**
 * Numbers of link groups (IFLA_GROUP) that nobody gives by hand. One is drawn for each send, in which links get it and are
 * deleted by it: no link that is not to be deleted ever has it.
 */
const freeGroups = [2 ** 30, 2 ** 31] as const;

interface Deletion {
  readonly name: string;
  readonly promise: Promise<boolean>;
  readonly resolve: (wasThere: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** A link that was there a moment ago. */
interface FoundLink {
  readonly name: string;
  readonly index: number;
  readonly group: number;
  readonly deletion: Deletion;
}

class KernelLinkDeleter implements LinkDeleter {
  readonly #poller: Poller;
  readonly #ownPoller: Poller | undefined;
  readonly #announcements: NetlinkSocket;
  /** Sockets on which no send is under way. */
  readonly #free: NetlinkSocket[];
  /** All that have not ended, by name. */
  readonly #deletions = new Map<string, Deletion>();
  #waiting: Deletion[] = [];
  /** Links that no group could be deleted with: each is sent by itself. */
  #alone: FoundLink[] = [];
  /** Links that are sent and not announced yet, by number. */
  readonly #awaited = new Map<number, Deletion>();
  readonly #sends = new Set<Promise<void>>();
  #unwatch: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor({ netns, poller }: LinkDeleterOptions) {
    const open = () => new NetlinkSocket({ protocol: NETLINK_ROUTE, netns });
    this.#announcements = open();
    this.#free = [];
    try {
      while (this.#free.length < mostSends) this.#free.push(open());
      this.#poller = poller ?? new Poller();
      this.#ownPoller = poller === undefined ? this.#poller : undefined;
    } catch (error) {
      this.#closeSockets();
      throw error;
    }
  }

  delete(name: string): Promise<boolean> {
    if (this.#closing !== undefined)
      return Promise.reject(new TypeError(`Cannot delete link "${name}": the deleter is closed`));
    const before = this.#deletions.get(name);
    if (before !== undefined) return before.promise.then(() => false);
    const deletion: Deletion = { name, ...Promise.withResolvers<boolean>() };
    this.#deletions.set(name, deletion);
    this.#waiting.push(deletion);
    // Those of one turn of the event loop go together.
    setImmediate(() => this.#dispatch());
    return deletion.promise;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#deletions.values()].map(({ promise }) => promise));
    await Promise.all(this.#sends);
    await this.#ownPoller?.close();
    this.#closeSockets();
  }

  #closeSockets(): void {
    for (const socket of [this.#announcements, ...this.#free]) socket.close();
  }

  /**
   * Sends what waits, unless links of the last send are not announced yet: until then the kernel holds its lock (RTNL), another
   * send would only wait for that, and what comes meanwhile can go together.
   */
  #dispatch(): void {
    while (this.#awaited.size === 0) {
      const socket = this.#free.pop();
      if (socket === undefined) return;
      const links = this.#nextLinks(socket);
      if (links.length === 0) {
        this.#free.push(socket);
        return;
      }
      for (const { index, deletion } of links) this.#awaited.set(index, deletion);
      const sending = this.#send(links, socket).finally(() => this.#sends.delete(sending));
      this.#sends.add(sending);
    }
  }

  #nextLinks(socket: NetlinkSocket): readonly FoundLink[] {
    if (this.#alone.length > 0) return this.#alone.splice(0, 1);
    while (this.#waiting.length > 0) {
      const links = this.#waiting.splice(0, mostTogether).flatMap((deletion) => this.#find(deletion, socket));
      if (links.length > 0) return links;
    }
    return [];
  }

  /** Its number, by which it is deleted: another link may get the name at any time. */
  #find(deletion: Deletion, socket: NetlinkSocket): readonly FoundLink[] {
    const { name } = deletion;
    try {
      const [found] = socket.query(linkRequest({ name }), ({ body }) => readLinkGroup(body));
      // The kernel also finds a link by its alternative names.
      if (found?.name === name) return [{ ...found, deletion }];
      this.#end(deletion).resolve(false);
    } catch (error) {
      if (isNotFound(error)) this.#end(deletion).resolve(false);
      else this.#end(deletion).reject(error);
    }
    return [];
  }

  async #send(links: readonly FoundLink[], socket: NetlinkSocket): Promise<void> {
    try {
      this.#listen();
      if (links.length > 1) await this.#deleteGroup(links, socket);
      else for (const link of links) await this.#deleteOne(link, socket);
    } catch (error) {
      // Waiting or sending itself failed.
      for (const { deletion } of links) this.#end(deletion).reject(error);
    }
    for (const { index } of links) this.#awaited.delete(index);
    this.#free.push(socket);
    this.#dispatch();
    if (this.#free.length === mostSends) this.#unlisten();
  }

  async #deleteOne(link: FoundLink, socket: NetlinkSocket): Promise<void> {
    const [refused] = await socket.executeInPool([linkDeleteRequest(link)]);
    // One that vanished since it was found is gone as well.
    if (refused === undefined || isNotFound(refused)) this.#end(link.deletion).resolve(true);
    else this.#end(link.deletion).reject(refused);
  }

  /** The kernel waits once for a whole group, however many links it has. */
  async #deleteGroup(links: readonly FoundLink[], socket: NetlinkSocket): Promise<void> {
    const group = randomInt(...freeGroups);
    const setting = links.map((link) => groupSetRequest(link, group));
    const results = await socket.executeInPool([...setting, groupDeleteRequest(group)]);
    if (results[links.length] !== undefined) {
      // One that cannot be deleted (a physical device) keeps the kernel from deleting any.
      socket.execute(links.map((link) => groupSetRequest(link, link.group)));
    }
    this.#hear();
    links.forEach((link, i) => {
      const unset = results[i];
      if (!this.#awaited.has(link.index)) return;
      if (unset === undefined) this.#alone.push(link);
      else if (isNotFound(unset)) this.#end(link.deletion).resolve(true);
      else this.#end(link.deletion).reject(unset);
    });
  }

  /** Takes in what the kernel announces. When it lost something, the return of each send tells the same later. */
  #hear(): void {
    for (const { type, body } of this.#announcements.notifications().messages) {
      if (type !== RTM_DELLINK) continue;
      const { family, index } = ifinfomsg.read(body);
      // Of AF_BRIDGE the message says that a port left its bridge.
      const deletion = family === AF_UNSPEC ? this.#awaited.get(index) : undefined;
      if (deletion === undefined) continue;
      this.#awaited.delete(index);
      this.#end(deletion).resolve(true);
    }
  }

  #listen(): void {
    if (this.#unwatch !== undefined) return;
    this.#announcements.join(RTNLGRP_LINK);
    this.#unwatch = this.#poller.watch(this.#announcements.fd, () => {
      this.#hear();
      this.#dispatch();
    });
  }

  #unlisten(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#announcements.leave(RTNLGRP_LINK);
    this.#hear();
  }

  /** From now on the name may be asked for again. */
  #end(deletion: Deletion): Deletion {
    if (this.#deletions.get(deletion.name) === deletion) this.#deletions.delete(deletion.name);
    return deletion;
  }
}
