// The host-gw backend: a plain route to each peer's subnet through the peer itself. Needs all nodes on one layer 2 network;
// a peer beyond a router is reported, not programmed.
import { type Route, routeKey } from '../../kernel/route/objects.ts';
import type { Lease } from '../../store/lease.ts';
import type { Underlay } from '../underlay.ts';
import type { Advertisement, BackendDevices, BackendInput, PeerParts } from './backend.ts';
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

export function hostGwDevices({ underlay }: BackendInput): BackendDevices {
  return { links: [], addresses: [], mtu: underlay.mtu };
}

/** The lease is a checked one (peers.ts). */
export function planHostGwPeer(lease: Lease, input: BackendInput): PeerParts {
  const routes: Route[] = [];
  let problem: string | undefined;
  for (const { subnet, publicIp } of peerFamilies(lease, input.config)) {
    if (isDirect(publicIp, input)) {
      routes.push(peerRoute({ subnet, gateway: publicIp, link: input.underlay.link }));
    } else {
      problem ??= `its address "${publicIp}" is not on a network of interface "${input.underlay.link}": host-gw needs all nodes on one`;
    }
  }
  const path = problem === undefined ? 'direct' : 'unreachable';
  const keys = { neighbours: [], fdb: [], routes: routes.map(routeKey) };
  return { plan: { lease, path, keys, problem }, neighbours: [], fdb: [], routes };
}
