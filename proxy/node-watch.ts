// Follows the node's addresses: reads them, and again when the kernel tells of a change that could matter. Pods come and go all the
// time, and none of that is read for. What follows from the addresses is rule-context-of.ts's.
import type { Netns } from '../kernel/netns.ts';
import type { Poller } from '../kernel/poller.ts';
import { openRouteDriver } from '../kernel/route/driver.ts';
import type { RouteState } from '../kernel/route/objects.ts';
import { type RouteChange, watchRoutes } from '../kernel/route/watch.ts';
import type { Clock } from '../runtime/clock.ts';
import { serviceLinkName } from './ipvs/service-link.ts';
import { counts, defaultLinks } from './node-addresses.ts';

/** Changes come in bursts: an address, its routes, its link. */
const pause = 100;

export interface NodeWatch {
  /** As it was last read. */
  readonly state: RouteState;
  close(): void;
}

export interface NodeWatchOptions {
  readonly netns?: Netns | undefined;
  readonly poller: Poller;
  readonly clock: Clock;
  readonly onRead: (state: RouteState) => void;
  readonly onError: (error: unknown) => void;
}

/** Throws KernelError when the kernel cannot be asked at all. */
export function watchNode({ netns, poller, clock, onRead, onError }: NodeWatchOptions): NodeWatch {
  const driver = openRouteDriver({ netns });
  let cancelTimer: (() => void) | undefined;
  let state: RouteState;
  let links: ReadonlySet<string> = new Set();

  function read(): void {
    state = driver.read();
    links = new Set(([4, 6] as const).flatMap((family) => defaultLinks(state, family)));
  }

  function readSoon(): void {
    cancelTimer ??= clock.setTimer(pause, () => {
      cancelTimer = undefined;
      try {
        read();
        onRead(state);
      } catch (error) {
        onError(error);
      }
    });
  }

  try {
    // Subscribed before the first reading, so that nothing falls between the two.
    const watch = watchRoutes({
      netns,
      poller,
      onChange: (change) => {
        if (matters(change, links)) readSoon();
      },
    });
    try {
      read();
    } catch (error) {
      watch.close();
      throw error;
    }
    return {
      get state() {
        return state;
      },
      close() {
        cancelTimer?.();
        watch.close();
        driver.close();
      },
    };
  } catch (error) {
    driver.close();
    throw error;
  }
}

/** `links`: those of the default routes. IPv4 routes of a link that goes down vanish without a word. */
export function matters(change: RouteChange, links: ReadonlySet<string>): boolean {
  switch (change.kind) {
    case 'address':
      return counts(change.object.prefix.address) && change.object.link !== serviceLinkName;
    case 'route':
      return change.object.destination.length === 0;
    case 'link':
      return links.has(change.object.name) || links.has(change.formerName ?? '');
    case 'overrun':
      return true;
    case 'neighbour':
    case 'fdb':
    case 'port':
    case 'rule':
      return false;
    default:
      return change satisfies never;
  }
}
