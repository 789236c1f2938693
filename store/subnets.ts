// Which subnet a node gets: pure arithmetic over a range and what is taken. Ranges may hold millions of subnets, so none is
// ever listed: the search walks the taken ones, sorted. Claiming the subnet is the store's work.
import { createHash } from 'node:crypto';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { SubnetRange } from './network-config.ts';

type Interval = { readonly first: bigint; readonly last: bigint };

function sizeOf(range: SubnetRange): bigint {
  return range.min.size;
}

/** How many subnets the range holds. */
export function countSubnets(range: SubnetRange): bigint {
  return (range.max.address.toBigInt() - range.min.address.toBigInt()) / sizeOf(range) + 1n;
}

/** The subnet at a place in the range, counted from 0. Throws RangeError outside. */
export function subnetAt(range: SubnetRange, index: bigint): Prefix {
  if (index < 0n || index >= countSubnets(range)) {
    throw new RangeError(`Cannot take subnet ${index} of ${countSubnets(range)} from "${range.min}"`);
  }
  const first = range.min.address.toBigInt() + index * sizeOf(range);
  return new Prefix(IpAddress.fromBigInt(range.min.family, first), range.subnetLength);
}

/** True when the subnet is one that the range gives out. */
export function fitsRange(range: SubnetRange, subnet: Prefix): boolean {
  return (
    subnet.family === range.min.family &&
    subnet.length === range.subnetLength &&
    subnet.isNetwork &&
    subnet.compare(range.min) >= 0 &&
    subnet.compare(range.max) <= 0
  );
}

/** The places that the prefixes cover, sorted, merged, cut to the range. A prefix smaller than a subnet covers all of it. */
function takenPlaces(range: SubnetRange, taken: Iterable<Prefix>): readonly Interval[] {
  const start = range.min.address.toBigInt();
  const size = sizeOf(range);
  const total = countSubnets(range);
  const places: Interval[] = [];
  for (const prefix of taken) {
    if (prefix.family !== range.min.family) continue;
    const end = prefix.last().toBigInt() - start;
    if (end < 0n) continue;
    const begin = prefix.first().toBigInt() - start;
    const first = begin < 0n ? 0n : begin / size;
    const last = end / size;
    if (first < total) places.push({ first, last: last < total ? last : total - 1n });
  }
  places.sort((a, b) => Number(a.first - b.first));
  const merged: Interval[] = [];
  for (const place of places) {
    const before = merged.at(-1);
    if (before === undefined || place.first > before.last + 1n) merged.push(place);
    else if (place.last > before.last) merged[merged.length - 1] = { first: before.first, last: place.last };
  }
  return merged;
}

/** How many subnets of the range the prefixes cover. */
export function countTaken(range: SubnetRange, taken: Iterable<Prefix>): bigint {
  return takenPlaces(range, taken).reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}

export type FreeSubnetOptions = {
  /** Given if it is of the range and free: the node's previous subnet. */
  readonly prefer?: Prefix | undefined;
  /** Where the search starts, taken modulo the size of the range: see `allocationSeed`. */
  readonly seed?: bigint;
};

/** A subnet of the range that overlaps nothing taken, or undefined when there is none. The same input gives the same subnet. */
export function freeSubnet(
  range: SubnetRange,
  taken: Iterable<Prefix>,
  { prefer, seed = 0n }: FreeSubnetOptions = {},
): Prefix | undefined {
  const places = takenPlaces(range, taken);
  const total = countSubnets(range);
  if (prefer !== undefined && fitsRange(range, prefer)) {
    const place = (prefer.address.toBigInt() - range.min.address.toBigInt()) / sizeOf(range);
    if (firstFree(places, place) === place) return prefer;
  }
  const start = BigInt.asUintN(64, seed) % total;
  const onwards = firstFree(places, start);
  if (onwards < total) return subnetAt(range, onwards);
  const again = firstFree(places, 0n);
  return again < total ? subnetAt(range, again) : undefined;
}

/** The first place from `place` on that no interval covers; may lie behind the range. */
function firstFree(places: readonly Interval[], place: bigint): bigint {
  const covering = places.find(({ last }) => last >= place);
  return covering === undefined || covering.first > place ? place : covering.last + 1n;
}

/** Spreads nodes over a range by their names, so that nodes that start together rarely want the same subnet. */
export function allocationSeed(node: string): bigint {
  return createHash('sha256').update(node).digest().readBigUInt64BE(0);
}
