// Which attachments of a network go when a runtime says which are valid. Pure; wiring.ts takes them away.
import type { AddressOwner } from '../ipam/reservation.ts';
import { type Attachment, attachmentKey } from './attachment.ts';

/** Those of `recorded` and of `owners` (of addresses) that are not valid, each once. */
export function invalidAttachments(found: {
  readonly network: string;
  readonly recorded: readonly Attachment[];
  readonly owners: readonly AddressOwner[];
  readonly valid: readonly AddressOwner[];
}): readonly Attachment[] {
  const { network, recorded, owners, valid } = found;
  const isKept = validity(valid);
  const all = [
    ...recorded.filter((attachment) => attachment.network === network),
    ...owners.map((owner) => ({ network, ...owner })),
  ];
  const unique = new Map(all.map((attachment) => [attachmentKey(attachment), attachment]));
  return [...unique.values()].filter((attachment) => !isKept(attachment));
}

/** An owner without an interface (an old host-local's) is valid when its container is. */
function validity(valid: readonly AddressOwner[]): (owner: AddressOwner) => boolean {
  const whole = new Set(valid.map(({ containerId, ifname }) => `${containerId} ${ifname}`));
  const containers = new Set(valid.map(({ containerId }) => containerId));
  return ({ containerId, ifname }) =>
    ifname === '' ? containers.has(containerId) : whole.has(`${containerId} ${ifname}`);
}
