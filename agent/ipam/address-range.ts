// The addresses of a subnet that pods may have, and the order in which they are tried: host-local's, so that both give out the
// same ones. Who has which address is address-store.ts's.
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';

/** An inclusive range within a subnet. The gateway lies in it and is left out. */
export interface AddressRange {
  readonly subnet: Prefix;
  readonly gateway: IpAddress;
  readonly first: IpAddress;
  readonly last: IpAddress;
}

/**
 * All of a subnet but its own address and, for IPv4, the broadcast address. Throws RangeError when nothing would be left
 * (host-local's limits: /30 and /126).
 */
export function rangeOf(subnet: Prefix, gateway: IpAddress): AddressRange {
  if (subnet.bits - subnet.length < 2) {
    throw new RangeError(`Cannot give out addresses of "${subnet}": it is smaller than /${subnet.bits - 2}`);
  }
  if (!subnet.contains(gateway)) {
    throw new RangeError(`Cannot give out addresses of "${subnet}": gateway "${gateway}" is not in it`);
  }
  return {
    subnet: subnet.network(),
    gateway,
    first: subnet.first().plus(1),
    last: subnet.family === 4 ? subnet.last().plus(-1) : subnet.last(),
  };
}

/** True for an address of the range that a pod may have. */
export function isInRange(range: AddressRange, address: IpAddress): boolean {
  return (
    address.family === range.subnet.family &&
    range.first.compare(address) <= 0 &&
    address.compare(range.last) <= 0 &&
    !address.equals(range.gateway)
  );
}

/**
 * Each address of the range once: from the one after `lastReserved` to the end, then from the start to `lastReserved` itself.
 * So an address that was given back rests as long as can be.
 */
export function* candidates(
  range: AddressRange,
  lastReserved: IpAddress | undefined,
): Generator<IpAddress, void> {
  const after = lastReserved !== undefined && isWithin(range, lastReserved) ? lastReserved : range.last;
  let address = after;
  do {
    address = address.equals(range.last) ? range.first : address.plus(1);
    if (!address.equals(range.gateway)) yield address;
  } while (!address.equals(after));
}

/** Unlike `isInRange`, also true for the gateway: host-local may have left it as the last one. */
function isWithin(range: AddressRange, address: IpAddress): boolean {
  return address.equals(range.gateway) || isInRange(range, address);
}

/** "10.244.1.1-10.244.1.254", as host-local's errors show it. */
export function rangeText({ first, last }: AddressRange): string {
  return `${first}-${last}`;
}
