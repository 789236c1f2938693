// Which set each of the addresses that a runtime asks for is of. Whether it is free is address-store.ts's.
import type { IpAddress } from '../../net/address.ts';
import { CniError, cniCodes } from '../wiring/cni-error.ts';
import { isGateway, isInSet, type RangeSets, setText } from './address-range.ts';

/** Place of the set -> the address wanted of it. Throws CniError (invalid configuration) for one that cannot be had. */
export function assignRequests(
  sets: RangeSets,
  requested: readonly IpAddress[],
): ReadonlyMap<number, IpAddress> {
  const wishes = new Map<number, IpAddress>();
  for (const address of requested) {
    const place = sets.findIndex((set) => isInSet(set, address));
    const set = sets[place];
    if (set === undefined) throw refusal(address, `it is not in ${sets.map(setText).join(' or ')}`);
    if (isGateway(sets, address)) throw refusal(address, "it is the subnet's gateway");
    const other = wishes.get(place);
    if (other !== undefined) throw refusal(address, `"${other}" of ${setText(set)} is requested too`);
    wishes.set(place, address);
  }
  return wishes;
}

function refusal(address: IpAddress, why: string): CniError {
  return new CniError(cniCodes.invalidConfig, `Cannot reserve requested address "${address}": ${why}`);
}
