// A link of our name that somebody else made, of a kind that we never make: a machine's own interface. It stays as it is, and
// nothing is put on it; what needs it is left out and said by name. Bridges and tunnels of our names are made anew instead.
import type { LinkDetail, RouteState } from '../kernel/route/objects.ts';
import { isTunnelled, type PeerPlan } from './backend/backend.ts';

/** Name -> why no link of that name can be made. */
export type OccupiedLinks = ReadonlyMap<string, string>;

/** Of our names they are flannel's or an earlier self's. */
const remade: ReadonlySet<LinkDetail['kind']> = new Set(['bridge', 'vxlan', 'ipip', 'wireguard', 'tun']);

export function occupiedLinks({ links }: RouteState, wanted: readonly string[]): OccupiedLinks {
  const occupied = new Map<string, string>();
  for (const name of wanted) {
    const detail = links.get(name)?.detail;
    if (detail === undefined || remade.has(detail.kind)) continue;
    const kind = detail.kind === 'other' ? detail.type : detail.kind;
    const what = kind === '' ? "an interface of the machine's own" : `a link of kind "${kind}"`;
    occupied.set(name, `Cannot make link "${name}": ${what} has this name; rename or delete that`);
  }
  return occupied;
}

/** What needs none of these links. */
export function withoutLinks(state: RouteState, occupied: OccupiedLinks): RouteState {
  if (occupied.size === 0) return state;
  const isOn = ({ link }: { readonly link: string }): boolean => occupied.has(link);
  return {
    ...state,
    links: without(state.links, ({ name }) => occupied.has(name)),
    addresses: without(state.addresses, isOn),
    neighbours: without(state.neighbours, isOn),
    fdb: without(state.fdb, isOn),
    routes: without(state.routes, ({ hops }) =>
      hops.some(({ link }) => link !== undefined && occupied.has(link)),
    ),
  };
}

function without<V>(
  objects: ReadonlyMap<string, V>,
  isUnwanted: (object: V) => boolean,
): ReadonlyMap<string, V> {
  return new Map([...objects].filter(([, object]) => !isUnwanted(object)));
}

/** A peer whose packets would go by such a link is not programmed. */
export function withoutWay(
  peers: readonly PeerPlan[],
  devices: readonly string[],
  occupied: OccupiedLinks,
): readonly PeerPlan[] {
  const why = devices.map((name) => occupied.get(name)).find((reason) => reason !== undefined);
  if (why === undefined) return peers;
  return peers.map((peer) => (isTunnelled(peer.path) ? { ...peer, problem: peer.problem ?? why } : peer));
}
