// Attaches pods to a bridge and takes them off it: what may be done to an attachment, and when. How it is made and taken back is
// make-attachment.ts and undo-attachment.ts. It speaks no CNI; cni/ turns requests into these calls.
import { bootId } from '../../kernel/boot.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { RangeSets } from '../ipam/address-range.ts';
import { hostLinkName } from './attachment.ts';
import { AttachmentRecords } from './attachment-record.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { invalidAttachments } from './collect-attachments.ts';
import { addLoopback, checkLoopback, removeLoopback } from './loopback.ts';
import { makeAttachment, makeChained } from './make-attachment.ts';
import { checkPod } from './pod-check.ts';
import { openPodNetns } from './pod-netns.ts';
import { ethernetMtu } from './pod-plan.ts';
import { undoAttachment, undoUnrecorded } from './undo-attachment.ts';
import type {
  AddRequest,
  ChainRequest,
  CheckRequest,
  CollectRequest,
  DelRequest,
  WiredPod,
} from './wire-request.ts';
import {
  exclusively,
  openWiringState,
  type StorePlace,
  sweepRunDirectory,
  type WiringOptions,
  type WiringState,
} from './wiring-state.ts';

/** All reject with CniError for what a runtime may cause, with KernelError for what the kernel refuses. */
export interface Wiring {
  /** An attachment that is there already is refused, and stays as it is. What a crashed one left is taken away first. */
  add(request: AddRequest): Promise<WiredPod>;
  /** Publishes ports and sets limits for an interface that another plugin made. Again: it has the new ones. */
  chain(request: ChainRequest): Promise<void>;
  /** What is missing is success. The interface is gone, in both namespaces, when it resolves. */
  del(request: DelRequest): Promise<void>;
  check(request: CheckRequest): Promise<void>;
  /** Removes all attachments of one network that are not in the list. Goes on when one fails; rejects with all that did. */
  collect(request: CollectRequest): Promise<void>;
  /** True when each of the sets has an address that is nobody's. */
  hasFree(place: StorePlace, sets: RangeSets): Promise<boolean>;
  /** True when there are attachments of the network. */
  isUsed(place: { readonly network: string; readonly runDirectory: string }): boolean;
  /** The loopback interface of a pod, by its namespace's path. */
  readonly loopback: Readonly<Record<'add' | 'del' | 'check', (netns: string) => void>>;
  close(): Promise<void>;
}

/** Milliseconds that DEL and CHECK wait for an operation on the same attachment: one that was given up by the runtime. */
const longestWait = 5000;

/** DELs at once of a collection. */
const collectors = 8;

export function createWiring(options: WiringOptions = {}): Wiring {
  const state = openWiringState(options);
  const { netns } = state.host;
  const del = (request: DelRequest) => remove(state, request);
  return {
    add: (request) =>
      exclusively(request, { waitMs: 0 }, async (records) => {
        using pod = openPodNetns(request.netns, netns);
        await clearLeftovers(state, request, records);
        return await makeAttachment(state, request, { pod, records });
      }),
    chain: (request) =>
      exclusively(request, { waitMs: 0 }, async (records) => {
        using pod = openPodNetns(request.netns, netns);
        const before = records.read(request.attachment);
        if (before !== undefined) await undoAttachment(state, before, { records, release: 'all' });
        await makeChained(state, request, { pod, records });
      }),
    del,
    check: (request) => check(state, request),
    collect: (request) => collect(state, request, del),
    hasFree: (place, sets) => state.store(place).hasFree(sets),
    isUsed: ({ network, runDirectory }) =>
      new AttachmentRecords({ runDirectory })
        .all()
        .records.some(({ attachment }) => attachment.network === network),
    loopback: {
      add: (path) => addLoopback(path, netns),
      del: (path) => removeLoopback(path, netns),
      check: (path) => checkLoopback(path, netns),
    },
    close: () => state.close(),
  };
}

/** What an ADD or DEL that died left of this attachment. One that is whole is refused, and stays as it is. */
async function clearLeftovers(
  state: WiringState,
  { attachment }: AddRequest,
  records: AttachmentRecords,
): Promise<void> {
  const link = state.host.route.link(hostLinkName(attachment));
  const record = records.read(attachment);
  // Without a record, an older version made it.
  if (link !== undefined && (record === undefined || record.phase === 'added')) {
    throw new CniError(
      cniCodes.interfaceExists,
      `Cannot add interface "${attachment.ifname}": this container has it already`,
      { details: `its host end is ${link.name}` },
    );
  }
  if (record !== undefined) await undoAttachment(state, record, { records, release: 'all' });
}

function remove(state: WiringState, request: DelRequest): Promise<void> {
  return exclusively(request, { waitMs: longestWait }, async (records) => {
    const { attachment, ipamDirectory } = request;
    const record = records.read(attachment);
    if (record === undefined) {
      await undoUnrecorded(state, request);
      // An ADD that was killed while it wrote its first record left a half of it.
      return records.remove(attachment);
    }
    await undoAttachment(state, record, { records, release: 'all' });
    // The configuration may name another directory than at ADD: nothing of the owner's is to stay in either.
    if (ipamDirectory === undefined || ipamDirectory === record.ipamDirectory) return;
    await state.store({ network: attachment.network, ipamDirectory }).release(attachment);
  });
}

function check(state: WiringState, request: CheckRequest): Promise<void> {
  return exclusively(request, { waitMs: longestWait }, async (records) => {
    const { attachment, bridge, ipamDirectory, expected, bandwidth } = request;
    const { host, parts, store } = state;
    using pod = openPodNetns(request.netns, host.netns);
    const record = records.read(attachment);
    // Of an interface that another plugin made, that plugin says how it should be.
    const isChained = record !== undefined && record.hostLink === undefined;
    const reserved =
      ipamDirectory === undefined
        ? undefined
        : await store({ network: attachment.network, ipamDirectory }).find(attachment, {
            known: record?.bootId === bootId() ? record.addresses : undefined,
          });
    const link = record?.hostLink === undefined ? undefined : host.route.link(record.hostLink);
    const problems = [
      ...(isChained ? [] : checkPod({ attachment, bridge: bridge(), reserved, expected }, { host, pod })),
      ...(record?.rules === undefined ? [] : await parts.firewall.check(record.rules)),
      ...(bandwidth === undefined || link === undefined
        ? []
        : parts.limiter.check(attachment, {
            hostLink: link.name,
            mtu: link.mtu ?? ethernetMtu,
            limits: bandwidth,
          })),
    ];
    const [first, ...others] = problems;
    if (first === undefined) return;
    throw new CniError(
      cniCodes.checkFailed,
      `Container "${attachment.containerId}" is not as it was made: ${first}`,
      { details: others.join('; ') },
    );
  });
}

async function collect(
  state: WiringState,
  { network, valid, runDirectory, ipamDirectory }: CollectRequest,
  del: Wiring['del'],
): Promise<void> {
  const records = new AttachmentRecords({ runDirectory });
  const recorded = records.all().records.map(({ attachment }) => attachment);
  const owners = ipamDirectory === undefined ? [] : await state.store({ network, ipamDirectory }).owners();
  const waiting = [...invalidAttachments({ network, recorded, owners, valid })];
  const errors: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const request = { attachment: next, runDirectory, ipamDirectory, netns: '' };
      await del(request).catch((error: unknown) => errors.push(errorMessage(error)));
    }
  };
  await Promise.all(Array.from({ length: collectors }, work));
  await sweepRunDirectory(runDirectory);
  if (errors.length === 0) return;
  throw new CniError(cniCodes.internal, `Cannot collect ${errors.length} attachments of "${network}"`, {
    details: errors.join('; '),
  });
}
