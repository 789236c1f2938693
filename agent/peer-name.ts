// What people call a peer.
import { type Lease, subnetsOf } from '../store/lease.ts';

/** Its node's name, or its subnets when it is flannel's and has none. */
export function peerName(lease: Lease): string {
  return lease.node ?? subnetsOf(lease).join(' ');
}
