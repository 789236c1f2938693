// Access to the rtnetlink state of one namespace: reads it by dumps and executes plans in batches. What to execute is
// decided in plan.ts; how objects look on the wire, in the wire-*.ts files.
import type { IpAddress } from '../../net/address.ts';
import { isExists, isNotFound, KernelError } from '../kernel-error.ts';
import { ByteWriter } from '../netlink/bytes.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { createTun } from './create-tun.ts';
import { isWantedLink, lateOptions } from './link-changes.ts';
import type { InterfaceAddress, Link, PortVlan, Route, RouteState } from './objects.ts';
import { readRouteState } from './read-state.ts';
import { dumps, linkRequest, routeQueryRequest, type StepRequest, stepRequest } from './requests.ts';
import type { LinkIndexes } from './rtnetlink.ts';
import type { RouteDriver, RouteStep, StepResult } from './step.ts';
import { explained, isAlreadySo } from './step-outcome.ts';
import { readAddress } from './wire-address.ts';
import { readLink, readLinkName } from './wire-link.ts';
import { readRoute } from './wire-route.ts';
import { readVlans } from './wire-vlan.ts';

/** A driver that can also be asked for one object. */
export interface RouteAccess extends RouteDriver {
  /** The link of that name; undefined when there is none. */
  link(name: string): Link | undefined;
  /** The addresses on the link of that name; none when there is no such link. */
  addressesOn(name: string): readonly InterfaceAddress[];
  /** The way that packets to the address take now, as `ip route get` says; undefined when there is none. */
  routeTo(address: IpAddress): Route | undefined;
  /** The VLANs of a bridge port or of a bridge itself; none when it is neither or not there. */
  portVlans(name: string): readonly PortVlan[];
}

const noRoute: ReadonlySet<string> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);

/** Opens the state of `netns`, or of the process's own namespace. */
export function openRouteDriver(options: { readonly netns?: Netns | undefined } = {}): RouteAccess {
  return new KernelRouteDriver(options.netns);
}

class KernelRouteDriver implements RouteAccess {
  readonly #socket: NetlinkSocket;
  readonly #netns: Netns | undefined;

  constructor(netns: Netns | undefined) {
    this.#netns = netns;
    this.#socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns });
  }

  read(): RouteState {
    return readRouteState(this.#socket);
  }

  apply(steps: readonly RouteStep[]): readonly StepResult[] {
    return new StepBatches(this.#socket, this.#netns).run(steps);
  }

  link(name: string): Link | undefined {
    return queryLink(this.#socket, name);
  }

  addressesOn(name: string): readonly InterfaceAddress[] {
    const index = this.link(name)?.index;
    if (index === undefined) return [];
    const names = { nameOf: (number: number) => (number === index ? name : undefined) };
    return ([4, 6] as const).flatMap((family) =>
      this.#socket.dump(dumps.addresses(family, index), ({ body }) => readAddress(body, names)),
    );
  }

  routeTo(address: IpAddress): Route | undefined {
    const names = { nameOf: (index: number) => queryName(this.#socket, index) };
    try {
      const bodies = this.#socket.query(routeQueryRequest(address), ({ body }) => body);
      return bodies[0] === undefined ? undefined : readRoute(bodies[0], names, { cached: true });
    } catch (error) {
      if (error instanceof KernelError && noRoute.has(error.code)) return undefined;
      throw error;
    }
  }

  portVlans(name: string): readonly PortVlan[] {
    // The kernel has no way to ask for one link.
    const reports = this.#socket.dump(dumps.vlans, ({ body }) => readVlans(body));
    return reports.find(({ link }) => link === name)?.vlans ?? [];
  }

  close(): void {
    this.#socket.close();
  }
}

function unlessMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function queryLink(socket: NetlinkSocket, name: string): Link | undefined {
  // Names of its bridge and underlay are looked up when they turn out to be needed.
  const names = { nameOf: (index: number) => queryName(socket, index) };
  return unlessMissing(() => {
    const [body] = socket.query(linkRequest({ name }), (message) => message.body);
    return body === undefined ? undefined : readLink(body, names).link;
  });
}

function queryName(socket: NetlinkSocket, index: number): string | undefined {
  return unlessMissing(() => socket.query(linkRequest({ index }), ({ body }) => readLinkName(body)?.name)[0]);
}

/**
 * One run over a plan. Numbers of links are asked for by name when a step first needs them and hold for this run only, so
 * that a link which somebody made anew is never mistaken; a step that needs a link which waits in the batch sends it first.
 */
class StepBatches implements LinkIndexes {
  readonly #socket: NetlinkSocket;
  readonly #netns: Netns | undefined;
  readonly #indexes = new Map<string, number>();
  readonly #scratch = new ByteWriter(512);
  readonly #results: StepResult[] = [];
  #waiting: { readonly step: RouteStep; readonly place: number; readonly request: NetlinkRequest }[] = [];
  /** Links that steps of the waiting batch make or delete: their numbers are not known before it is sent. */
  #unsettled = new Set<string>();

  constructor(socket: NetlinkSocket, netns: Netns | undefined) {
    this.#socket = socket;
    this.#netns = netns;
  }

  run(steps: readonly RouteStep[]): readonly StepResult[] {
    steps.forEach((step, place) => {
      this.#take(step, place);
    });
    this.#flush();
    return this.#results;
  }

  indexOf(name: string): number {
    if (this.#unsettled.has(name)) this.#flush();
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const [index] = this.#socket.query(linkRequest({ name }), ({ body }) => readLinkName(body)?.index);
    if (index === undefined)
      throw new TypeError(`Cannot find link "${name}": the kernel answered without it`);
    this.#indexes.set(name, index);
    return index;
  }

  #take(step: RouteStep, place: number): void {
    try {
      if (step.kind === 'link-add') this.#addLink(step, place);
      else this.#enqueue({ step, place, request: stepRequest(step) });
      if (step.kind === 'link-delete') this.#unsettled.add(step.link.name);
    } catch (error) {
      this.#settle(step, { place, error });
    }
  }

  /** Encodes here, where a fault is this step's alone; that may send the batch so far to learn a link's number. */
  #enqueue(entry: { readonly step: RouteStep; readonly place: number; readonly request: StepRequest }): void {
    const { step, place, request } = entry;
    this.#scratch.truncate();
    request.write(this.#scratch, this);
    const body = Buffer.from(this.#scratch.bytes());
    const { type, flags, operation } = request;
    this.#waiting.push({
      step,
      place,
      request: {
        type,
        flags,
        operation,
        body: (out) => out.raw(body),
        get object() {
          return request.object;
        },
      },
    });
  }

  #addLink(step: Extract<RouteStep, { kind: 'link-add' }>, place: number): void {
    const { link } = step;
    const { detail, name } = link;
    if (detail.kind === 'tun') {
      this.#flush();
      createTun(name, this.#netns);
      // The ioctl makes a bare device; all else is set afterwards.
      const bare: Link = { name, detail, up: false, master: '', alias: '' };
      this.#enqueue({ step, place, request: stepRequest({ kind: 'link-set', link, was: bare }) });
      return;
    }
    this.#enqueue({ step, place, request: stepRequest(step) });
    const late: Link = { name, detail, ...lateOptions(link) };
    if (Object.keys(lateOptions(link)).length > 0)
      this.#enqueue({
        step,
        place,
        request: stepRequest({ kind: 'link-set', link: late, was: { name, detail } }),
      });
    this.#unsettled.add(name);
    // A veth's peer comes with it.
    if (detail.kind === 'veth' && detail.peer !== undefined) this.#unsettled.add(detail.peer.name);
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    for (const name of this.#unsettled) this.#indexes.delete(name);
    this.#unsettled = new Set();
    if (batch.length === 0) return;
    let errors: readonly unknown[];
    try {
      errors = this.#socket.execute(batch.map(({ request }) => request));
    } catch (error) {
      // The socket itself failed: what of the batch was executed is unknown.
      errors = batch.map(() => error);
    }
    batch.forEach(({ step, place }, i) => {
      this.#settle(step, { place, error: errors[i] });
    });
  }

  /** A step may take several requests: the first error is the step's. */
  #settle(step: RouteStep, outcome: { readonly place: number; readonly error: unknown }): void {
    const { place, error } = outcome;
    if (this.#results[place]?.error !== undefined) return;
    const isSo = error === undefined || isAlreadySo(step, error) || this.#isThere(step, error);
    if (isSo) this.#results[place] = { step };
    else this.#results[place] = { step, error: explained(step, error) };
  }

  /** A link that somebody made meanwhile is as good as ours when it is as wanted. */
  #isThere(step: RouteStep, error: unknown): boolean {
    if (step.kind !== 'link-add' || !isExists(error)) return false;
    const found = queryLink(this.#socket, step.link.name);
    return found !== undefined && isWantedLink(step.link, found);
  }
}
