// The route to a peer's subnet, as every backend makes it: ours by its protocol number, in table main.

import { netloomRouteProtocol, type Route } from '../../kernel/route/objects.ts';
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';

const mainTable = 254;
/** The kernel's own default metric of IPv6 routes (IP6_RT_PRIO_USER); IPv4's is 0. */
const ip6Priority = 1024;

export interface PeerRouteInput {
  readonly subnet: Prefix;
  readonly gateway: IpAddress;
  readonly link: string;
  /** The gateway is on the link although no address of the link says so. */
  readonly onlink?: boolean;
}

export function peerRoute({ subnet, gateway, link, onlink }: PeerRouteInput): Route {
  return {
    destination: subnet,
    table: mainTable,
    priority: subnet.family === 4 ? 0 : ip6Priority,
    protocol: netloomRouteProtocol,
    type: 'unicast',
    // IPv6 routes have no scope.
    ...(subnet.family === 4 ? { scope: 'global' } : {}),
    hops: [onlink === true ? { gateway, link, onlink } : { gateway, link }],
  };
}
