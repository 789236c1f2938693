// Which lease a node takes, whatever store it is in: its own, if that fits, else free subnets. Pure; taking it is the store's work.
import type { Prefix } from '../net/prefix.ts';
import { type Lease, subnetsOf } from './lease.ts';
import { nameOf } from './lease-claims.ts';
import type { LeaseSubnets } from './lease-key.ts';
import { isUsable, type LeaseRecord, type UsableRecord } from './lease-record.ts';
import type { LeaseRequest } from './lease-store.ts';
import type { NetworkConfig, SubnetRange } from './network-config.ts';
import { StoreError } from './store-error.ts';
import { countSubnets, countTaken, fitsRange, freeSubnet } from './subnets.ts';

export type Holder = Pick<Lease, 'node' | 'publicIp' | 'publicIp6'>;

/** Whether a lease is this holder's: by node name; flannel's leases carry none and are told by public address, as flannel does. */
export function isHeldBy(lease: Lease, holder: Holder): boolean {
  if (lease.node !== undefined) return lease.node === holder.node;
  return sharesAddress(lease, holder);
}

export function sharesAddress(a: Holder, b: Holder): boolean {
  const same4 = a.publicIp !== undefined && b.publicIp !== undefined && a.publicIp.equals(b.publicIp);
  return same4 || (a.publicIp6 !== undefined && b.publicIp6 !== undefined && a.publicIp6.equals(b.publicIp6));
}

export function overlap(a: LeaseSubnets, b: LeaseSubnets): boolean {
  return subnetsOf(a).some((subnet) => subnetsOf(b).some((other) => subnet.overlaps(other)));
}

function fitsConfig(config: NetworkConfig, { subnet, subnet6 }: LeaseSubnets): boolean {
  const fits = (range: SubnetRange | undefined, prefix: Prefix | undefined) =>
    range === undefined || prefix === undefined ? range === prefix : fitsRange(range, prefix);
  return fits(config.ip4, subnet) && fits(config.ip6, subnet6);
}

/** The lease that the request asks for, without an end. */
export function requestedLease(
  { subnet, subnet6 }: LeaseSubnets,
  { node, publicIp, publicIp6, backendType, backendData, backendDataV6 }: LeaseRequest,
): Lease {
  return { subnet, subnet6, node, publicIp, publicIp6, backendType, backendData, backendDataV6 };
}

/** Throws StoreError `conflict` when one of the live leases of others has a public address of ours. */
export function refuseSharedAddress(live: readonly LeaseRecord[], request: LeaseRequest): void {
  const other = live.filter(isUsable).find(({ lease }) => sharesAddress(lease, request));
  if (other === undefined) return;
  const { publicIp, publicIp6 } = other.lease;
  const address = sharesAddress({ ...request, publicIp6: undefined }, other.lease) ? publicIp : publicIp6;
  throw new StoreError(
    `Cannot acquire a lease for node "${request.node}": its public address "${address}" is held by ${nameOf(other)}`,
    { code: 'conflict', object: other.path },
  );
}

export type OwnChoice = {
  readonly config: NetworkConfig;
  readonly request: LeaseRequest;
  /** The live ones of others. */
  readonly live: readonly LeaseRecord[];
  readonly isLive: (record: LeaseRecord) => boolean;
};

/** Of our own leases the one to keep: it fits the configuration and, if it had expired, nobody else has its addresses now. */
export function chooseOwn(
  own: readonly UsableRecord[],
  { config, request, live, isLive }: OwnChoice,
): UsableRecord | undefined {
  const isPrevious = ({ subnets }: UsableRecord) =>
    request.previous !== undefined && overlap(request.previous, subnets);
  return own
    .filter(({ subnets }) => fitsConfig(config, subnets))
    .filter((record) => isLive(record) || !live.some(({ subnets }) => overlap(record.subnets, subnets)))
    .toSorted((a, b) => Number(isPrevious(b)) - Number(isPrevious(a)) || a.renewedAt - b.renewedAt)[0];
}

export type SubnetChoice = {
  /** All leases of others, and the live ones of them. */
  readonly others: readonly LeaseRecord[];
  readonly live: readonly LeaseRecord[];
  readonly config: NetworkConfig;
  readonly request: LeaseRequest;
  /** Where the search starts: see `allocationSeed`. */
  readonly seed: bigint;
  /** Where leases are, as messages name it. */
  readonly place: string;
};

/**
 * Subnets that nobody has, the previous ones if they are free. Those of expired leases come last, so that a node that was
 * away for long finds its own again. Throws StoreError `full`.
 */
export function chooseSubnets(choice: SubnetChoice): LeaseSubnets {
  const { config, request, seed, place } = choice;
  const prefixesOf = (records: readonly LeaseRecord[]) =>
    records.flatMap(({ subnets }) => subnetsOf(subnets));
  const all = prefixesOf(choice.others);
  const live = prefixesOf(choice.live);
  const choose = (range: SubnetRange | undefined, prefer: Prefix | undefined): Prefix | undefined => {
    if (range === undefined) return undefined;
    const subnet = freeSubnet(range, all, { prefer, seed }) ?? freeSubnet(range, live, { prefer, seed });
    if (subnet !== undefined) return subnet;
    throw new StoreError(
      `Cannot acquire a subnet for node "${request.node}": ${countTaken(range, live)} of the ${countSubnets(range)} subnets "${range.min}" to "${range.max}" are taken`,
      { code: 'full', object: place },
    );
  };
  return {
    subnet: choose(config.ip4, request.previous?.subnet),
    subnet6: choose(config.ip6, request.previous?.subnet6),
  };
}
