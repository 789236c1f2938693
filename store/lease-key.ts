// The name of a lease in a store, flannel's: "10.5.52.0-24", or "10.12.13.0-24&fd00:12:13::-56" with both families.
// IPv6 alone is "fd00:12:13::-56", which flannel's readers pass over (flannel's etcd store has no such leases).
import { Prefix } from '../net/prefix.ts';
import type { Lease } from './lease.ts';
import { subnetsOf } from './lease.ts';
import { quote, StoreError } from './store-error.ts';

/** A subnet needs an address for the bridge and one for a pod (flannel: SubnetLen at most 30, IPv6SubnetLen at most 126). */
const longestSubnet = { 4: 30, 6: 126 } as const;

export type LeaseSubnets = Pick<Lease, 'subnet' | 'subnet6'>;

/** Throws RangeError when there is no subnet at all. */
export function leaseKey(subnets: LeaseSubnets): string {
  const parts = subnetsOf(subnets).map((subnet) => `${subnet.address}-${subnet.length}`);
  if (parts.length === 0) throw new RangeError('Cannot name a lease without a subnet');
  return parts.join('&');
}

/** Reads a key. Throws StoreError `invalid` that names `object` (by default the key) and says what is wrong with it. */
export function parseLeaseKey(key: string, object = key): LeaseSubnets {
  const fail = (message: string) =>
    new StoreError(`Cannot read lease "${object}"`, {
      code: 'invalid',
      object,
      problems: [{ field: 'key', message: `${quote(key)} ${message}` }],
    });
  const prefixes = key.split('&').map((part) => Prefix.tryParse(part.replace('-', '/')));
  const [first, second] = prefixes;
  if (first === undefined || prefixes.length > 2 || prefixes.includes(undefined)) {
    throw fail('is not a subnet: want 10.5.52.0-24 or 10.5.52.0-24&fd00:5:52::-64');
  }
  if (second !== undefined && (first.family !== 4 || second.family !== 6)) {
    throw fail('must name the IPv4 subnet, then the IPv6 one');
  }
  for (const prefix of second === undefined ? [first] : [first, second]) {
    const message = whyNotSubnet(prefix);
    if (message !== undefined) throw fail(message);
  }
  const subnets: LeaseSubnets =
    first.family === 4 ? { subnet: first, subnet6: second } : { subnet: undefined, subnet6: first };
  const canonical = leaseKey(subnets);
  if (canonical !== key) throw fail(`is not in its canonical form "${canonical}"`);
  return subnets;
}

function whyNotSubnet(prefix: Prefix): string | undefined {
  const longest = longestSubnet[prefix.family];
  if (prefix.length === 0 || prefix.length > longest) {
    return `has prefix length ${prefix.length}: want 1 to ${longest}`;
  }
  if (!prefix.isNetwork) return `has host bits set: the subnet is ${prefix.network()}`;
  const { address } = prefix;
  const bad = address.isUnspecified || address.isLoopback || address.isMulticast || address.isIp4Mapped;
  return bad || (address.family === 6 && address.isLinkLocal)
    ? 'is not in a range that pods can use'
    : undefined;
}
