// Addresses that a service may be reached at: what no rule must ever match on is refused. Whoever could claim 127.0.0.1 or
// 169.254.169.254 for a service would take over the node's own traffic.
import type { IpAddress } from '../../net/address.ts';
import { whyNotNodeAddress } from '../address-fields.ts';
import { quote } from '../store-error.ts';
import { sloppyAddress } from './sloppy-address.ts';

/** The address, or in words why it cannot be one of a service. */
export function servedAddress(text: string): IpAddress | string {
  const address = sloppyAddress(text);
  if (address === undefined) return `${quote(text)} is not an IP address`;
  const reason = whyNotNodeAddress(address) ?? (address.isLinkLocal ? 'is a link-local address' : undefined);
  return reason === undefined ? address : `${quote(text)} ${reason}`;
}
