// What peers claim of a network's goods, so that no two have the same: public addresses, VTEP MACs, subnets. Who of two is
// believed is peers.ts's.
import type { IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { type Lease, subnetsOf } from '../store/lease.ts';
import { peerName } from './peer-name.ts';
import { sortedPlace } from './sorted-place.ts';

export interface PeerClaims {
  /** What was claimed (an address, a MAC) -> by whom. */
  readonly taken: Map<string, string>;
  /** Sorted and without overlaps, so that only the neighbours of a new one can overlap it. */
  readonly subnets: ClaimedSubnet[];
}

interface ClaimedSubnet {
  readonly subnet: Prefix;
  readonly by: string;
}

/** Why the lease cannot stand beside those that have their claims. */
export function whyNotBeside(lease: Lease, claims: PeerClaims): string | undefined {
  for (const { what, value } of singular(lease)) {
    const holder = claims.taken.get(value);
    if (holder !== undefined) return `it claims the ${what} "${value}" of "${holder}"`;
  }
  for (const subnet of subnetsOf(lease)) {
    const place = placeOf(subnet, claims);
    const clash = claims.subnets
      .slice(Math.max(0, place - 1), place + 1)
      .find((claimed) => claimed.subnet.overlaps(subnet));
    if (clash !== undefined) return `its subnet "${subnet}" overlaps "${clash.subnet}" of "${clash.by}"`;
  }
  return undefined;
}

/** The two devices of one node may share a MAC; two nodes may not. */
export function claim(lease: Lease, claims: PeerClaims): void {
  const by = peerName(lease);
  for (const { value } of singular(lease)) claims.taken.set(value, by);
  for (const subnet of subnetsOf(lease)) {
    claims.subnets.splice(placeOf(subnet, claims), 0, { subnet, by });
  }
}

/** Takes back what `claim` took. */
export function unclaim(lease: Lease, claims: PeerClaims): void {
  for (const { value } of singular(lease)) claims.taken.delete(value);
  for (const subnet of subnetsOf(lease)) claims.subnets.splice(placeOf(subnet, claims), 1);
}

function placeOf(subnet: Prefix, { subnets }: PeerClaims): number {
  return sortedPlace(subnets, (claimed) => claimed.subnet.compare(subnet) < 0);
}

interface Claimed {
  readonly what: 'public address' | 'VTEP MAC' | 'WireGuard key';
  readonly value: string;
}

/** What only one node can have. */
function singular(lease: Lease): readonly Claimed[] {
  const found: Claimed[] = [];
  for (const address of publicAddresses(lease)) {
    found.push({ what: 'public address', value: address.toString() });
  }
  for (const data of [lease.backendData, lease.backendDataV6]) {
    if (data?.kind === 'vxlan') found.push({ what: 'VTEP MAC', value: data.vtepMac.toString() });
    if (data?.kind === 'wireguard') found.push({ what: 'WireGuard key', value: data.publicKey.toString() });
  }
  return found;
}

/** Those of the families that it has a subnet of. */
export function publicAddresses(lease: Lease): readonly IpAddress[] {
  return [
    lease.subnet === undefined ? undefined : lease.publicIp,
    lease.subnet6 === undefined ? undefined : lease.publicIp6,
  ].filter((address) => address !== undefined);
}
