// The host-gw backend: a plain route to each peer's subnet through the peer itself. Needs all nodes on one layer 2 network;
// a peer beyond a router is reported, not programmed.
import { type Route, routeKey } from '../../kernel/route/objects.ts';
import type { Underlay } from '../underlay.ts';
import type { Advertisement, BackendInput, BackendPlan, PeerPlan } from './backend.ts';
import { isDirect, peerFamilies } from './backend.ts';
import { peerRoute } from './peer-route.ts';

/** Why this node cannot run the backend; undefined when it can. */
export function whyNotHostGw(underlay: Underlay): string | undefined {
  for (const family of [underlay.ip4, underlay.ip6]) {
    if (family !== undefined && !family.publicIp.equals(family.address)) {
      return `Cannot run backend "host-gw": the public address "${family.publicIp}" is not "${family.address}" of interface "${underlay.link}", and peers must be able to route through it`;
    }
  }
  return undefined;
}

export function advertiseHostGw(underlay: Underlay): Advertisement {
  return { publicIp: underlay.ip4?.publicIp, publicIp6: underlay.ip6?.publicIp, backendType: 'host-gw' };
}

export function planHostGw(input: BackendInput): BackendPlan {
  const routes: Route[] = [];
  const peers: PeerPlan[] = [];
  for (const lease of input.peers) {
    const mine: Route[] = [];
    let problem: string | undefined;
    for (const { subnet, publicIp } of peerFamilies(lease, input.config)) {
      if (isDirect(publicIp, input)) {
        mine.push(peerRoute({ subnet, gateway: publicIp, link: input.underlay.link }));
      } else {
        problem ??= `its address "${publicIp}" is not on a network of interface "${input.underlay.link}": host-gw needs all nodes on one`;
      }
    }
    routes.push(...mine);
    const path = problem === undefined ? 'direct' : 'unreachable';
    peers.push({ lease, path, keys: { neighbours: [], fdb: [], routes: mine.map(routeKey) }, problem });
  }
  const objects = { links: [], addresses: [], neighbours: [], fdb: [], routes };
  return { objects, peers, mtu: input.underlay.mtu };
}
