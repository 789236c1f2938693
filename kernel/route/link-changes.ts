// What may change of a link while it lives, and what cannot: that makes another link of it.
import { satisfies } from './difference.ts';
import type { BridgeDetail, Link, VethDetail } from './objects.ts';

/** The options of a link that may change, where `link` wants another value than `was`. */
export function linkChanges(link: Link, was: Partial<Link>): Partial<Link> {
  const { mac, mtu, up, promiscuous, master, alias, txQueueLength } = link;
  const detail = bridgeChange(link, was);
  return {
    ...(mac !== undefined && was.mac?.equals(mac) !== true && { mac }),
    ...(mtu !== undefined && mtu !== was.mtu && { mtu }),
    ...(up !== undefined && up !== was.up && { up }),
    ...(promiscuous !== undefined && promiscuous !== was.promiscuous && { promiscuous }),
    ...(master !== undefined && master !== was.master && { master }),
    ...(alias !== undefined && alias !== was.alias && { alias }),
    ...(txQueueLength !== undefined && txQueueLength !== was.txQueueLength && { txQueueLength }),
    ...(detail !== undefined && { detail }),
  };
}

function bridgeChange({ detail }: Link, was: Partial<Link>): BridgeDetail | undefined {
  if (detail.kind !== 'bridge' || detail.vlanFiltering === undefined) return undefined;
  const before = was.detail?.kind === 'bridge' ? was.detail.vlanFiltering : undefined;
  return detail.vlanFiltering === before ? undefined : detail;
}

/**
 * What must be set once more after a link was made: the kernel takes no alias when it makes one, and a bridge forgets the MTU
 * that it was made with when a port leaves (only one that was set afterwards counts as wanted). Empty if there is nothing.
 */
export function lateOptions(link: Link): Partial<Link> {
  return {
    ...(link.alias !== undefined && link.alias !== '' && { alias: link.alias }),
    ...(link.detail.kind === 'bridge' && link.mtu !== undefined && { mtu: link.mtu }),
  };
}

/** Parameters that make no other link: the peer is only a wish for the moment of creation, a bridge's options may change. */
const notOfIdentity: ReadonlySet<string> = new Set<keyof VethDetail | keyof BridgeDetail>([
  'peer',
  'vlanFiltering',
]);

/** True when `actual` cannot become `wanted` by setting options: its kind or parameters of its kind differ. */
export function isOtherLink(wanted: Link, actual: Link): boolean {
  return !satisfies(wanted.detail, actual.detail, { ignore: notOfIdentity });
}

/** True when nothing of `actual` has to change to be as `wanted` asks. */
export function isWantedLink(wanted: Link, actual: Link): boolean {
  return !isOtherLink(wanted, actual) && Object.keys(linkChanges(wanted, actual)).length === 0;
}
