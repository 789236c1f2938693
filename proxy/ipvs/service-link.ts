// The link that holds the addresses of services, so that packets to them come to this node's own input where IPVS waits. Both families
// share it. It is never up: nobody is told of it, and it answers no ARP.
import type { InterfaceAddress, Link } from '../../kernel/route/objects.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';

/** kube-proxy's. */
export const serviceLinkName = 'kube-ipvs0';

export const serviceLink: Link = { name: serviceLinkName, detail: { kind: 'dummy' } };

export function serviceAddress(address: IpAddress): InterfaceAddress {
  const prefix = Prefix.host(address);
  // A link that is down finds no doubles, and an address that waits to be told from its doubles takes no packets.
  return address.family === 4
    ? { link: serviceLinkName, prefix }
    : { link: serviceLinkName, prefix, noDad: true };
}

/** Addresses of a family on the link that a proxy put there: all but the kernel's own. */
export function isServiceAddress({ prefix }: InterfaceAddress, family: Family): boolean {
  return prefix.family === family && !(family === 6 && prefix.address.isLinkLocal);
}
