// One interface of one pod, and the names that follow from it alone: so that whoever must remove it needs no memory of ADD
// and no look into the pod's namespace.
import { createHash } from 'node:crypto';
import { Mac } from '../../net/mac.ts';

export interface Attachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/** The same for the same attachment. The parts hold no space, so that no two attachments share it. */
export function attachmentKey({ network, containerId, ifname }: Attachment): string {
  return `${network} ${containerId} ${ifname}`;
}

function digest(purpose: string, attachment: Attachment): Buffer {
  return createHash('sha256')
    .update(`netloom ${purpose} ${attachmentKey(attachment)}`)
    .digest();
}

/** The host's end: "veth" and 44 bits of hash, which fill the 15 bytes of a link's name. */
export function hostLinkName(attachment: Attachment): string {
  return `veth${digest('link', attachment).toString('hex').slice(0, 11)}`;
}

/** True for names of the form that `hostLinkName` gives; whose they are, only the list of pods tells. */
export function isHostLinkName(name: string): boolean {
  return /^veth[0-9a-f]{11}$/.test(name);
}

/** Fixed when the pair is made: a MAC that user space changes later would make the bridge and udev guess. */
export function hostMac(attachment: Attachment): Mac {
  return Mac.local(digest('host', attachment));
}

export function podMac(attachment: Attachment): Mac {
  return Mac.local(digest('pod', attachment));
}

/** Safe as the name of a file. */
export function attachmentFileName(attachment: Attachment): string {
  return digest('file', attachment).toString('hex').slice(0, 32);
}

/** Whose interface it is, for people. */
export function attachmentText({ containerId, ifname }: Attachment, pod: string | undefined): string {
  return pod === undefined ? `container "${containerId}" (${ifname})` : `pod ${pod}`;
}
