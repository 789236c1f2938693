// Looks at a node for the signs of life of its pods, and says which attachments are dead: what the agent removes at its start, a
// collection and the doctor. It changes nothing; evidence.ts decides.
import { join } from 'node:path';
import { bootId, bootTime } from '../../kernel/boot.ts';
import { isLockHeld } from '../../kernel/lock-held.ts';
import { namespaceAddresses, visibleNamespaces } from '../../kernel/namespaces.ts';
import { isNetns, Netns } from '../../kernel/netns.ts';
import type { IpAddress } from '../../net/address.ts';
import { isIdentifier } from '../../net/names.ts';
import { namesIn } from '../../runtime/names-in.ts';
import { type Attachment, attachmentFileName, attachmentKey } from '../wiring/attachment.ts';
import type { AttachmentRecord } from '../wiring/attachment-record.ts';
import { AddressStore } from './address-store.ts';
import {
  type Claim,
  judge,
  judgeAddresses,
  type NamespaceSigns,
  type Signs,
  type Verdict,
} from './evidence.ts';
import { isMarked } from './reservation-files.ts';

export interface LifeQuestion {
  /** host-local's dataDir, for what has no record; what has one says itself. */
  readonly ipamDirectory: string;
  /** The networks to look at: `ownNetworks`, or the one that a runtime names. */
  readonly networks: readonly string[];
  /** Of the run directory, whatever their network. */
  readonly records: readonly AttachmentRecord[];
  /** "/run/netloom": holds the locks. */
  readonly runDirectory: string;
  /** Names of the links on the node; called after the reservations were read, so that a pod in the making is not missed. */
  readonly hostLinks: () => Iterable<string>;
  /** What a test says instead of the kernel. */
  readonly signs?: Partial<Omit<Signs, 'links'>>;
}

export interface AttachmentLife extends Verdict {
  readonly attachment: Attachment;
  readonly record: AttachmentRecord | undefined;
  /** That its files say are its own. */
  readonly addresses: readonly IpAddress[];
  /** Where the files are; undefined when it has none. */
  readonly ipamDirectory: string | undefined;
}

/** An address whose file names no owner. */
export interface OwnerlessAddress extends Verdict {
  readonly network: string;
  readonly address: IpAddress;
  readonly ipamDirectory: string;
}

export interface LifeSurvey {
  readonly attachments: readonly AttachmentLife[];
  readonly ownerless: readonly OwnerlessAddress[];
}

/** All attachments of the networks, by their records and by the addresses that are taken. */
export async function surveyLife(question: LifeQuestion): Promise<LifeSurvey> {
  const { networks, records } = question;
  const recorded = records.filter(({ attachment }) => networks.includes(attachment.network));
  const taken = await readTaken(question, recorded);
  const claims = claimsOf(taken, recorded);
  const signs = gatherSigns(question, [...claims.values()]);
  return {
    attachments: [...claims.values()].map(({ ipamDirectory, ...claim }) => ({
      ...judge(claim, signs),
      attachment: claim.attachment,
      record: claim.record,
      addresses: claim.addresses.map(({ address }) => address),
      ipamDirectory,
    })),
    ownerless: taken
      .filter(({ owner }) => owner === undefined)
      .map((one) => ({
        ...judgeAddresses([one], signs),
        network: one.network,
        address: one.address,
        ipamDirectory: one.ipamDirectory,
      })),
  };
}

/** The dead ones of `surveyLife`. */
export async function findDead(question: LifeQuestion): Promise<readonly AttachmentLife[]> {
  return (await surveyLife(question)).attachments.filter(({ life }) => life === 'dead');
}

/**
 * The networks whose dead may be taken away unasked: the configured ones, those with a record, and those where Netloom gave
 * out addresses. What lies beside them in the directory is another plugin's.
 */
export function ownNetworks(of: {
  readonly ipamDirectory: string;
  readonly configured: readonly string[];
  readonly records: readonly AttachmentRecord[];
}): readonly string[] {
  const marked = namesIn(of.ipamDirectory).filter(
    (name) => isIdentifier(name) && isMarked(join(of.ipamDirectory, name)),
  );
  const recorded = of.records.map(({ attachment }) => attachment.network);
  return [...new Set([...of.configured, ...recorded, ...marked])].sort();
}

type Taken = Awaited<ReturnType<AddressStore['reservations']>>[number] & {
  readonly network: string;
  readonly ipamDirectory: string;
};

async function readTaken(
  { networks, ipamDirectory }: LifeQuestion,
  recorded: readonly AttachmentRecord[],
): Promise<readonly Taken[]> {
  const found: Taken[] = [];
  for (const network of networks) {
    const others = recorded.flatMap((record) =>
      record.attachment.network === network && record.ipamDirectory !== undefined
        ? [record.ipamDirectory]
        : [],
    );
    for (const directory of new Set([ipamDirectory, ...others])) {
      const reservations = await new AddressStore(join(directory, network)).reservations();
      found.push(...reservations.map((one) => ({ ...one, network, ipamDirectory: directory })));
    }
  }
  return found;
}

interface PlacedClaim extends Claim {
  readonly ipamDirectory: string | undefined;
}

function claimsOf(
  taken: readonly Taken[],
  recorded: readonly AttachmentRecord[],
): ReadonlyMap<string, PlacedClaim> {
  const claims = new Map<string, PlacedClaim>(
    recorded.map((record) => [
      attachmentKey(record.attachment),
      { attachment: record.attachment, record, addresses: [], ipamDirectory: record.ipamDirectory },
    ]),
  );
  for (const { owner, network, ipamDirectory, address, writtenAt } of taken) {
    if (owner === undefined) continue;
    const attachment = { network, ...owner };
    const key = attachmentKey(attachment);
    const claim = claims.get(key);
    claims.set(key, {
      attachment,
      record: claim?.record ?? sameContainer(attachment, recorded),
      addresses: [...(claim?.addresses ?? []), { address, writtenAt }],
      ipamDirectory: claim?.ipamDirectory ?? ipamDirectory,
    });
  }
  return claims;
}

/** An old host-local wrote no interface: then any record of the container's speaks for it. */
function sameContainer(
  { network, containerId, ifname }: Attachment,
  recorded: readonly AttachmentRecord[],
): AttachmentRecord | undefined {
  if (ifname !== '') return undefined;
  return recorded.find(
    ({ attachment }) => attachment.network === network && attachment.containerId === containerId,
  );
}

/** Locks before links: an ADD that ended in between has made its link by then. */
function gatherSigns({ runDirectory, hostLinks, signs }: LifeQuestion, claims: readonly Claim[]): Signs {
  const isHeld =
    signs?.isLocked ??
    ((attachment: Attachment) => isLockHeld(join(runDirectory, 'locks', attachmentFileName(attachment))));
  const locked = new Set(
    claims
      .map(({ attachment }) => attachment)
      .filter(isHeld)
      .map(attachmentKey),
  );
  let namespaces: NamespaceSigns | undefined;
  return {
    bootId: bootId(),
    bootTime: bootTime(),
    now: Date.now(),
    identityAt,
    ...signs,
    isLocked: (attachment) => locked.has(attachmentKey(attachment)),
    links: new Set(hostLinks()),
    namespaces: () => (namespaces ??= (signs?.namespaces ?? readNamespaces)()),
  };
}

function identityAt(path: string): string | undefined {
  if (!isNetns(path)) return undefined;
  try {
    using netns = Netns.open(path);
    return netns.identity;
  } catch {
    return undefined;
  }
}

export function readNamespaces(): NamespaceSigns {
  const { namespaces, isComplete } = visibleNamespaces();
  return {
    identities: new Set(namespaces.map(({ identity }) => identity)),
    holders: namespaceAddresses(namespaces),
    isComplete,
  };
}
