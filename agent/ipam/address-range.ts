// The addresses that pods may have, and the order in which they are tried: host-local's, so that both give out the same ones.
// Who has which address is address-store.ts's.
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';

/** An inclusive range within a subnet. The gateway may lie in it and is left out. */
export interface AddressRange {
  readonly subnet: Prefix;
  readonly gateway: IpAddress;
  readonly first: IpAddress;
  readonly last: IpAddress;
}

/** Of one network: an address of each set; the ranges of a set are alternatives. They do not overlap. */
export type RangeSets = readonly (readonly AddressRange[])[];

/** What may be said of a range; what is absent has host-local's default. */
export interface RangeLimits {
  /** The subnet's first address plus one. */
  readonly rangeStart?: IpAddress | undefined;
  /** The subnet's last address; of IPv4 the one before it, which is no broadcast address. */
  readonly rangeEnd?: IpAddress | undefined;
  /** The subnet's first address plus one, too. */
  readonly gateway?: IpAddress | undefined;
}

/** Throws RangeError when nothing would be left (host-local's limits: /30 and /126) or a limit is not in the subnet. */
export function rangeOf(subnet: Prefix, limits: RangeLimits = {}): AddressRange {
  const refuse = (why: string): never => {
    throw new RangeError(`Cannot give out addresses of "${subnet}": ${why}`);
  };
  if (subnet.bits - subnet.length < 2) refuse(`it is smaller than /${subnet.bits - 2}`);
  if (!subnet.isNetwork) refuse(`it has host bits, want "${subnet.network()}"`);
  for (const name of ['rangeStart', 'rangeEnd', 'gateway'] as const) {
    const address = limits[name];
    if (address !== undefined && !subnet.contains(address)) refuse(`${name} "${address}" is not in it`);
  }
  const {
    rangeStart = subnet.first().plus(1),
    rangeEnd = subnet.family === 4 ? subnet.last().plus(-1) : subnet.last(),
    gateway = subnet.first().plus(1),
  } = limits;
  if (rangeStart.compare(rangeEnd) > 0) refuse(`rangeStart "${rangeStart}" is after rangeEnd "${rangeEnd}"`);
  return { subnet, gateway, first: rangeStart, last: rangeEnd };
}

/**
 * The sets of one network, as its configuration has them. Throws RangeError for an empty set, one of both families, a range
 * that cannot be, and for ranges that overlap: an address must be of one range alone.
 */
export function rangeSets(
  sets: readonly (readonly (RangeLimits & { readonly subnet: Prefix })[])[],
): RangeSets {
  const ranges = sets.map((set) => set.map(({ subnet, ...limits }) => rangeOf(subnet, limits)));
  ranges.forEach(refuseMixedSet);
  const all = ranges.flatMap((set, place) => set.map((range) => ({ range, place })));
  for (const [i, one] of all.entries()) {
    const other = all.slice(i + 1).find(({ range }) => overlap(one.range, range));
    if (other === undefined) continue;
    const where =
      one.place === other.place ? `range set ${one.place}` : `range sets ${one.place} and ${other.place}`;
    throw new RangeError(
      `Cannot give out addresses: ${rangeText(one.range)} and ${rangeText(other.range)} of ${where} overlap`,
    );
  }
  return ranges;
}

function refuseMixedSet(set: readonly AddressRange[], place: number): void {
  const [first] = set;
  if (first === undefined)
    throw new RangeError(`Cannot give out addresses of range set ${place}: it is empty`);
  const stranger = set.find(({ subnet }) => subnet.family !== first.subnet.family);
  if (stranger === undefined) return;
  throw new RangeError(
    `Cannot give out addresses of range set ${place}: "${first.subnet}" and "${stranger.subnet}" are of different families`,
  );
}

function overlap(one: AddressRange, other: AddressRange): boolean {
  return (
    one.subnet.family === other.subnet.family &&
    one.first.compare(other.last) <= 0 &&
    other.first.compare(one.last) <= 0
  );
}

/** True for an address of the range, also for a gateway in it. */
function isWithin(range: AddressRange, address: IpAddress): boolean {
  return (
    address.family === range.subnet.family &&
    range.first.compare(address) <= 0 &&
    address.compare(range.last) <= 0
  );
}

/** True for an address of the set, also for a gateway in it. */
export function isInSet(set: readonly AddressRange[], address: IpAddress): boolean {
  return set.some((range) => isWithin(range, address));
}

/** True for the gateway of any range of the network: no pod may have it. */
export function isGateway(sets: RangeSets, address: IpAddress): boolean {
  return sets.some((set) => set.some(({ gateway }) => gateway.equals(address)));
}

/** One of a network's sets. */
export interface SetPlace {
  readonly sets: RangeSets;
  readonly place: number;
}

/**
 * Each address of the set once, without gateways: from the one after `lastReserved` through all ranges to the last, then from
 * the start of the first to `lastReserved` itself. So an address that was given back rests as long as can be.
 */
export function* candidates(
  { sets, place }: SetPlace,
  lastReserved: IpAddress | undefined,
): Generator<IpAddress, void> {
  for (const [first, last] of stretches(sets[place] ?? [], lastReserved)) {
    for (let address = first; ; address = address.plus(1)) {
      if (!isGateway(sets, address)) yield address;
      if (address.equals(last)) break;
    }
  }
}

/** First and last, in the order in which they are gone through. */
function stretches(
  set: readonly AddressRange[],
  lastReserved: IpAddress | undefined,
): readonly (readonly [IpAddress, IpAddress])[] {
  const whole = ({ first, last }: AddressRange): readonly [IpAddress, IpAddress] => [first, last];
  const start = lastReserved === undefined ? -1 : set.findIndex((range) => isWithin(range, lastReserved));
  const begun = set[start];
  if (begun === undefined || lastReserved === undefined) return set.map(whole);
  return [
    ...(lastReserved.equals(begun.last) ? [] : [[lastReserved.plus(1), begun.last] as const]),
    ...[...set.slice(start + 1), ...set.slice(0, start)].map(whole),
    [begun.first, lastReserved],
  ];
}

/** "10.244.1.1-10.244.1.254", as host-local's errors show it. */
export function rangeText({ first, last }: AddressRange): string {
  return `${first}-${last}`;
}

/** "10.0.0.1-10.0.0.9,10.0.1.1-10.0.1.9", as host-local's errors show it. */
export function setText(set: readonly AddressRange[]): string {
  return set.map(rangeText).join(',');
}
