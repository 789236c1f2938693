// Tells whether others changed kube-ipvs0 or the addresses on it: notifications of rtnetlink, told apart from our own changes. It reads no
// addresses.
import type { Netns } from '../../kernel/netns.ts';
import type { Poller } from '../../kernel/poller.ts';
import { type RouteChange, watchRoutes } from '../../kernel/route/watch.ts';
import type { Family } from '../../net/address.ts';
import { isServiceAddress, serviceLinkName } from './service-link.ts';

export interface LinkWatch {
  /** True when somebody else changed what is watched since `forget`. */
  changed(): boolean;
  /** What happened until now is known, since the caller is about to look. */
  forget(): void;
  /** What happens while `change` runs is the caller's own. */
  own<T>(change: () => T): T;
  close(): void;
}

export interface LinkWatchOptions {
  readonly netns?: Netns | undefined;
  readonly poller?: Poller | undefined;
  readonly family: Family;
}

export function watchServiceLink({ netns, poller, family }: LinkWatchOptions): LinkWatch {
  let changed = false;
  let isOwn = false;
  const watch = watchRoutes({
    netns,
    poller,
    onChange: (change) => {
      if (!isOwn && concerns(change, family)) changed = true;
    },
  });
  return {
    changed() {
      watch.drain();
      return changed;
    },
    forget() {
      watch.drain();
      changed = false;
    },
    own(change) {
      watch.drain();
      isOwn = true;
      try {
        return change();
      } finally {
        watch.drain();
        isOwn = false;
      }
    },
    close: () => watch.close(),
  };
}

/** The other family's part is its own. That the link is made is nobody's harm. */
function concerns(change: RouteChange, family: Family): boolean {
  switch (change.kind) {
    case 'overrun':
      return true;
    case 'link':
      return change.object.name === serviceLinkName
        ? change.op === 'delete'
        : change.formerName === serviceLinkName;
    case 'address':
      return change.object.link === serviceLinkName && isServiceAddress(change.object, family);
    default:
      return false;
  }
}
