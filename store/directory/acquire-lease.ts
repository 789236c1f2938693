// How a node takes its lease from a directory: keeps its own, else claims free subnets. Nodes that start together race for
// names in one folder; link(2) decides each name, and the rule in `settle` decides between names that overlap.
import { setTimeout as delay } from 'node:timers/promises';
import type { Prefix } from '../../net/prefix.ts';
import { type Lease, subnetsOf } from '../lease.ts';
import { encodeLease } from '../lease-codec.ts';
import { type LeaseSubnets, leaseKey } from '../lease-key.ts';
import type { LeaseRequest } from '../lease-store.ts';
import type { NetworkConfig, SubnetRange } from '../network-config.ts';
import { StoreError } from '../store-error.ts';
import { allocationSeed, countSubnets, countTaken, fitsRange, freeSubnet } from '../subnets.ts';
import { isUsable, nameOf, type UsableFile } from './lease-claims.ts';
import type { LeaseDirectory, LeaseFile } from './lease-directory.ts';
import type { LeaseScan } from './lease-scan.ts';

/** Lost races in a row before giving up: each means that another node got a subnet. */
const mostAttempts = 100;

/** How long a claim waits for an overlapping one with a larger key to be taken back. */
const settleMs = 250;
const settleStepMs = 10;

type Holder = Pick<Lease, 'node' | 'publicIp' | 'publicIp6'>;

/** Whether a lease is this holder's: by node name; flannel's leases carry none and are told by public address, as flannel does. */
export function isHeldBy(lease: Lease, holder: Holder): boolean {
  if (lease.node !== undefined) return lease.node === holder.node;
  return sharesAddress(lease, holder);
}

function sharesAddress(a: Holder, b: Holder): boolean {
  const same4 = a.publicIp !== undefined && b.publicIp !== undefined && a.publicIp.equals(b.publicIp);
  return same4 || (a.publicIp6 !== undefined && b.publicIp6 !== undefined && a.publicIp6.equals(b.publicIp6));
}

function overlap(a: LeaseSubnets, b: LeaseSubnets): boolean {
  return subnetsOf(a).some((subnet) => subnetsOf(b).some((other) => subnet.overlaps(other)));
}

export function fitsConfig(config: NetworkConfig, { subnet, subnet6 }: LeaseSubnets): boolean {
  const fits = (range: SubnetRange | undefined, prefix: Prefix | undefined) =>
    range === undefined || prefix === undefined ? range === prefix : fitsRange(range, prefix);
  return fits(config.ip4, subnet) && fits(config.ip6, subnet6);
}

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
    refuseSharedAddress(others.filter(isUsable), { directory, request });

    const own = files.filter(isUsable).filter(({ lease }) => isHeldBy(lease, request));
    const kept = chooseOwn(own, { config, directory, request, others });
    for (const { key } of own) {
      if (key !== kept?.key) await directory.removeIf(key, isOurs(request));
    }
    if (kept !== undefined) {
      const lease = await keep(directory, kept.subnets, request);
      if (lease !== undefined) return lease;
      continue;
    }

    const subnets = chooseSubnets(config, others, { directory, request, seed });
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
function leaseOf(
  { now, ttlMs }: LeaseDirectory,
  { subnet, subnet6 }: LeaseSubnets,
  { node, publicIp, publicIp6, backendType, backendData, backendDataV6 }: LeaseRequest,
): Lease {
  const attributes = { node, publicIp, publicIp6, backendType, backendData, backendDataV6 };
  return { subnet, subnet6, ...attributes, expiresAt: now() + ttlMs };
}

function isOurs(holder: Holder) {
  return ({ lease }: Pick<LeaseFile, 'lease'>) => lease !== undefined && isHeldBy(lease, holder);
}

type Surroundings = { readonly directory: LeaseDirectory; readonly request: LeaseRequest };

function refuseSharedAddress(others: readonly UsableFile[], { directory, request }: Surroundings): void {
  const other = others.find((file) => !directory.isExpired(file) && sharesAddress(file.lease, request));
  if (other === undefined) return;
  const { publicIp, publicIp6 } = other.lease;
  const address = sharesAddress({ ...request, publicIp6: undefined }, other.lease) ? publicIp : publicIp6;
  throw new StoreError(
    `Cannot acquire a lease for node "${request.node}": its public address "${address}" is held by ${nameOf(other)}`,
    { code: 'conflict', object: other.path },
  );
}

/** Of our own leases the one to keep: it fits the configuration and, if it had expired, nobody else has its addresses now. */
function chooseOwn(
  own: readonly UsableFile[],
  {
    config,
    directory,
    request,
    others,
  }: Surroundings & { readonly config: NetworkConfig; readonly others: readonly LeaseFile[] },
): UsableFile | undefined {
  const live = others.filter((file) => !directory.isExpired(file));
  const isPrevious = ({ subnets }: UsableFile) =>
    request.previous !== undefined && overlap(request.previous, subnets);
  return own
    .filter(({ subnets }) => fitsConfig(config, subnets))
    .filter(
      (file) => !directory.isExpired(file) || !live.some(({ subnets }) => overlap(file.subnets, subnets)),
    )
    .toSorted((a, b) => Number(isPrevious(b)) - Number(isPrevious(a)) || a.renewedAt - b.renewedAt)[0];
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

/**
 * Subnets that nobody has, the previous ones if they are free. Those of expired leases come last, so that a node that was
 * away for long finds its own again. Throws StoreError `full`.
 */
function chooseSubnets(
  config: NetworkConfig,
  others: readonly LeaseFile[],
  { directory, request, seed }: Surroundings & { readonly seed: bigint },
): LeaseSubnets {
  const prefixesOf = (files: readonly LeaseFile[]) => files.flatMap(({ subnets }) => subnetsOf(subnets));
  const all = prefixesOf(others);
  const live = prefixesOf(others.filter((file) => !directory.isExpired(file)));
  const choose = (range: SubnetRange | undefined, prefer: Prefix | undefined): Prefix | undefined => {
    if (range === undefined) return undefined;
    const subnet = freeSubnet(range, all, { prefer, seed }) ?? freeSubnet(range, live, { prefer, seed });
    if (subnet !== undefined) return subnet;
    throw new StoreError(
      `Cannot acquire a subnet for node "${request.node}": ${countTaken(range, live)} of the ${countSubnets(range)} subnets "${range.min}" to "${range.max}" are taken`,
      { code: 'full', object: directory.subnetsPath },
    );
  };
  return {
    subnet: choose(config.ip4, request.previous?.subnet),
    subnet6: choose(config.ip6, request.previous?.subnet6),
  };
}

/** Removes the expired files in the way of a claim; false when one of them was renewed meanwhile. */
async function clearExpired(
  directory: LeaseDirectory,
  others: readonly LeaseFile[],
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
  const isRival = (file: LeaseFile) =>
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
