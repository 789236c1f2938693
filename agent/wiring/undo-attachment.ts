// Takes an attachment back, whatever is there of it: by its record or, without one, by what follows from its name. What is gone
// already is success.
import { bootId } from '../../kernel/boot.ts';
import type { IpAddress } from '../../net/address.ts';
import { type Attachment, hostLinkName } from './attachment.ts';
import type { AttachmentRecord, AttachmentRecords } from './attachment-record.ts';
import { detachForeign } from './pod-links.ts';
import { findPodNetns } from './pod-netns.ts';
import type { DelRequest } from './wire-request.ts';
import type { WiringState } from './wiring-state.ts';

export interface UndoOptions {
  readonly records: AttachmentRecords;
  /** `recorded` leaves the owner the addresses that it had before this ADD. */
  readonly release: 'all' | 'recorded';
}

/**
 * Takes away all that a record names. Rules first, so that nobody is led to a pod that goes; the addresses last: nobody else may
 * have them while the interface is there.
 */
export async function undoAttachment(
  state: WiringState,
  record: AttachmentRecord,
  { records, release }: UndoOptions,
): Promise<void> {
  const { attachment, rules, hostLink, ipamDirectory, bandwidth, limitedLink } = record;
  const { parts } = state;
  // Rules and links of another boot are gone; its addresses are not.
  if (record.bootId === bootId()) {
    records.write({ ...record, phase: 'deleting' });
    if (rules !== undefined) {
      await parts.firewall.remove(rules);
      parts.flushFlows(rules, 'gone');
    }
    await Promise.all([
      bandwidth ? parts.limiter.remove(attachment, limitedLink) : undefined,
      hostLink === undefined ? undefined : parts.deleteLink(hostLink),
    ]);
  }
  if (ipamDirectory !== undefined) {
    // An ADD that died may have taken addresses that its record does not have yet.
    const isWhole = release === 'recorded' || record.phase === 'added';
    const store = state.store({ network: attachment.network, ipamDirectory });
    await store.release(attachment, isWhole ? { known: record.addresses } : {});
  }
  records.remove(attachment);
}

/** After a failure, whose error is the one to be told: what cannot be taken back its record keeps for DEL, GC and the agent. */
export async function takeBack(
  state: WiringState,
  record: AttachmentRecord,
  records: AttachmentRecords,
): Promise<void> {
  await undoAttachment(state, record, { records, release: 'recorded' }).catch(() => undefined);
}

/** An attachment without a record: an older version's or host-local's, made before the node moved here, or none at all. */
export async function undoUnrecorded(
  state: WiringState,
  { attachment, ipamDirectory, netns }: DelRequest,
): Promise<void> {
  const isGone = await state.parts.deleteLink(hostLinkName(attachment));
  if (ipamDirectory === undefined) return;
  const store = state.store({ network: attachment.network, ipamDirectory });
  const reserved = await store.find(attachment);
  if (reserved.length === 0) return;
  if (!isGone) detach(state, attachment, { netns, reserved });
  await store.release(attachment, { known: reserved });
}

function detach(
  { host }: WiringState,
  attachment: Attachment,
  { netns, reserved }: { readonly netns: string; readonly reserved: readonly IpAddress[] },
): void {
  using pod = findPodNetns(netns, host.netns);
  if (pod !== undefined) detachForeign(attachment, { pod, reserved });
}
