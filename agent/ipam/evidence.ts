// Whether the pod of an attachment still lives, and by what that is known. Pure: the signs are handed in, and who acts on the
// answer is not here. Nothing is said to be dead on suspicion: an address that is given out twice breaks two pods.
import type { IpAddress } from '../../net/address.ts';
import { type Attachment, hostLinkName } from '../wiring/attachment.ts';
import type { AttachmentRecord } from '../wiring/attachment-record.ts';

export type Life = 'alive' | 'dead' | 'unknown';

export interface Verdict {
  readonly life: Life;
  /** In words, to follow "because". */
  readonly evidence: string;
}

export interface NamespaceSigns {
  /** Device and inode of each. */
  readonly identities: ReadonlySet<string>;
  /** Address -> path of the namespace that has it. */
  readonly holders: ReadonlyMap<string, string>;
  /** True when there can be no others. */
  readonly isComplete: boolean;
}

/** What was seen of a node, after the reservations and the records were read. */
export interface Signs {
  readonly bootId: string;
  /** Milliseconds since 1970, as is `now`. */
  readonly bootTime: number;
  readonly now: number;
  /** True while an operation on the attachment is under way. */
  readonly isLocked: (attachment: Attachment) => boolean;
  /** Names of the links on the node. */
  readonly links: ReadonlySet<string>;
  /** Asked only where nothing else tells: it is the dearest. */
  readonly namespaces: () => NamespaceSigns;
  /** Identity of the namespace that a path leads to now. */
  readonly identityAt: (path: string) => string | undefined;
}

/** An address that is taken, and since when (milliseconds since 1970). */
export interface TakenAddress {
  readonly address: IpAddress;
  readonly writtenAt: number;
}

export interface Claim {
  readonly attachment: Attachment;
  readonly record: AttachmentRecord | undefined;
  readonly addresses: readonly TakenAddress[];
}

/** A plugin reserves an address before it puts it on an interface: for this long none need have it. Milliseconds. */
const longestSetup = 10 * 60_000;

export function judge({ attachment, record, addresses }: Claim, signs: Signs): Verdict {
  if (signs.isLocked(attachment)) return alive('an operation on it is under way');
  const link = record?.hostLink ?? hostLinkName(attachment);
  if (signs.links.has(link)) return alive(`its interface ${link} is on the node`);
  if (record === undefined) return judgeAddresses(addresses, signs);
  if (record.bootId !== signs.bootId) return dead('it was made before the node started');
  // The pair goes with the pod's namespace, and with nothing else but a deletion.
  if (record.hostLink !== undefined) return dead(`its interface ${link} is gone`);
  return judgeNamespace(record.netns, signs);
}

function judgeNamespace({ path, identity }: AttachmentRecord['netns'], signs: Signs): Verdict {
  if (signs.identityAt(path) === identity) return alive(`its namespace "${path}" is there`);
  const { identities, isComplete } = signs.namespaces();
  if (identities.has(identity)) return alive(`its namespace is there, though not at "${path}"`);
  if (isComplete) return dead(`its namespace "${path}" is gone`);
  return unknown(`its namespace is not at "${path}", and not all others can be seen from here`);
}

/** Of whom nothing is known but that they are taken: by another plugin, or before a reboot that took the records away. */
export function judgeAddresses(addresses: readonly TakenAddress[], signs: Signs): Verdict {
  const { holders, isComplete } = signs.namespaces();
  for (const { address } of addresses) {
    const path = holders.get(address.toString());
    if (path !== undefined) return alive(`namespace "${path}" has ${address}`);
  }
  const which = addresses.map(({ address }) => address).join(' or ');
  // The time alone proves nothing: a clock that was wrong when the node started dates a new file before it.
  if (!isComplete) return unknown(`no namespace has ${which}, but not all can be seen from here`);
  const since = Math.max(...addresses.map(({ writtenAt }) => writtenAt));
  if (since < signs.bootTime) return dead(`no namespace has ${which}, reserved before the node started`);
  const minutes = Math.floor((signs.now - since) / 60_000);
  return signs.now - since > longestSetup
    ? dead(`no namespace has ${which}, reserved ${minutes} minutes ago`)
    : unknown(`no namespace has ${which}, but it was reserved only now`);
}

const verdict =
  (life: Life) =>
  (evidence: string): Verdict => ({ life, evidence });
const alive = verdict('alive');
const dead = verdict('dead');
const unknown = verdict('unknown');
