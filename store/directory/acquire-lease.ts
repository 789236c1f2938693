// How a node takes its lease from a directory: keeps its own, else claims free subnets. Nodes that start together race for
// names in one folder; link(2) decides each name, and the rule in `settle` decides between names that overlap.
import { setTimeout as delay } from 'node:timers/promises';
import {
  chooseOwn,
  chooseSubnets,
  type Holder,
  isHeldBy,
  overlap,
  refuseSharedAddress,
  requestedLease,
  sharesAddress,
} from '../choose-lease.ts';
import type { Lease } from '../lease.ts';
import { encodeLease } from '../lease-codec.ts';
import { type LeaseSubnets, leaseKey } from '../lease-key.ts';
import { isUsable, type LeaseRecord } from '../lease-record.ts';
import type { LeaseRequest } from '../lease-store.ts';
import { StoreError } from '../store-error.ts';
import { allocationSeed } from '../subnets.ts';
import type { LeaseDirectory } from './lease-directory.ts';
import type { LeaseScan } from './lease-scan.ts';

/** Lost races in a row before giving up: each means that another node got a subnet. */
const mostAttempts = 100;

/** How long a claim waits for an overlapping one with a larger key to be taken back. */
const settleMs = 250;
const settleStepMs = 10;

/** See LeaseStore.acquire. */
export async function acquireLease(
  { directory, scanner }: { readonly directory: LeaseDirectory; readonly scanner: LeaseScan },
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<Lease> {
  const config = directory.readConfig();
  await directory.prepare();
  const seed = allocationSeed(request.node);
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    signal.throwIfAborted();
    const files = [...(await scanner.scan()).files.values()];
    const others = files.filter((file) => file.lease === undefined || !isHeldBy(file.lease, request));
    const isLive = (file: LeaseRecord) => !directory.isExpired(file);
    const live = others.filter(isLive);
    refuseSharedAddress(live, request);

    const own = files.filter(isUsable).filter(({ lease }) => isHeldBy(lease, request));
    const kept = chooseOwn(own, { config, request, live, isLive });
    for (const { key } of own) {
      if (key !== kept?.key) await directory.removeIf(key, isOurs(request));
    }
    if (kept !== undefined) {
      const lease = await keep(directory, kept.subnets, request);
      if (lease !== undefined) return lease;
      continue;
    }

    const subnets = chooseSubnets({ others, live, config, request, seed, place: directory.subnetsPath });
    if (!(await clearExpired(directory, others, subnets))) continue;
    const lease = leaseOf(directory, subnets, request);
    if (!(await directory.claim(leaseKey(lease), encodeLease(lease)))) continue;
    if (await settle({ directory, scanner }, lease, signal)) return lease;
    // Two that backed out for each other must not meet again: they wait unequally.
    await delay((attempt + 1) * (1 + Number(seed % 16n)), undefined, { signal });
  }
  throw new StoreError(
    `Cannot acquire a lease for node "${request.node}": others were faster ${mostAttempts} times in a row`,
    { code: 'unavailable', object: directory.subnetsPath },
  );
}

/** Its end is counted from now, before the file is written: a holder must not believe in its lease for longer than others. */
function leaseOf({ now, ttlMs }: LeaseDirectory, subnets: LeaseSubnets, request: LeaseRequest): Lease {
  return { ...requestedLease(subnets, request), expiresAt: now() + ttlMs };
}

function isOurs(holder: Holder) {
  return ({ lease }: Pick<LeaseRecord, 'lease'>) => lease !== undefined && isHeldBy(lease, holder);
}

/** Renews our lease and writes what has changed; undefined when it was lost in between. */
async function keep(
  directory: LeaseDirectory,
  subnets: LeaseSubnets,
  request: LeaseRequest,
): Promise<Lease | undefined> {
  const lease = leaseOf(directory, subnets, request);
  return (await renewFile(directory, lease)) ? lease : undefined;
}

/** Renews the file and puts back what is not as the lease says (changed by hand, or garbage); false when it is not ours. */
export async function renewFile(directory: LeaseDirectory, lease: Lease): Promise<boolean> {
  const key = leaseKey(lease);
  const found = directory.touch(key, (current) => isHeldBy(current, lease));
  if (found === 'lost') return false;
  const text = encodeLease(lease);
  if (found === 'garbled' || encodeLease(found) !== text) await directory.replace(key, text);
  return true;
}

/** Removes the expired files in the way of a claim; false when one of them was renewed meanwhile. */
async function clearExpired(
  directory: LeaseDirectory,
  others: readonly LeaseRecord[],
  subnets: LeaseSubnets,
): Promise<boolean> {
  for (const { key, subnets: taken } of others) {
    if (!overlap(taken, subnets)) continue;
    if (!(await directory.removeIf(key, (file) => directory.isExpired(file)))) return false;
  }
  return true;
}

/**
 * After the claim: does another one, made at the same moment under another name, overlap ours or belong to the same node or
 * public address? Whoever claims looks afterwards, so at least the later one sees the other. The smaller key stays, the
 * larger backs out. But a larger one that had looked before we came will stay: so we wait a moment for it to go, and if it
 * does not we back out ourselves. Nobody leaves here with success while a rival is in sight.
 */
async function settle(
  { directory, scanner }: { readonly directory: LeaseDirectory; readonly scanner: LeaseScan },
  lease: Lease,
  signal: AbortSignal,
): Promise<boolean> {
  const key = leaseKey(lease);
  const isRival = (file: LeaseRecord) =>
    file.key !== key &&
    !directory.isExpired(file) &&
    (overlap(file.subnets, lease) ||
      (file.lease !== undefined && (isHeldBy(file.lease, lease) || sharesAddress(file.lease, lease))));
  let settled = false;
  try {
    for (let waited = 0; waited <= settleMs && !signal.aborted; waited += settleStepMs) {
      const rivals = [...(await scanner.scan()).files.values()].filter(isRival);
      settled = rivals.length === 0;
      if (settled || rivals.some((rival) => rival.key < key)) break;
      await delay(settleStepMs);
    }
  } finally {
    if (!settled) await directory.removeIf(key, isOurs(lease));
  }
  if (!settled) signal.throwIfAborted();
  return settled;
}
