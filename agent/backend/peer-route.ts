// The route to a peer's subnet or to the whole network, as every backend makes it: ours by its protocol number, in table main.

import { type NextHop, netloomRouteProtocol, type Route } from '../../kernel/route/objects.ts';
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
  const hop = onlink === true ? { gateway, link, onlink } : { gateway, link };
  return ourRoute(subnet, 'global', hop);
}

/** For a device that finds out by itself where a packet of the network goes. */
export function networkRoute({ network, link }: { readonly network: Prefix; readonly link: string }): Route {
  return ourRoute(network, 'link', { link });
}

function ourRoute(destination: Prefix, scope: 'global' | 'link', hop: NextHop): Route {
  return {
    destination,
    table: mainTable,
    priority: destination.family === 4 ? 0 : ip6Priority,
    protocol: netloomRouteProtocol,
    type: 'unicast',
    // IPv6 routes have no scope.
    ...(destination.family === 4 ? { scope } : {}),
    hops: [hop],
  };
}
