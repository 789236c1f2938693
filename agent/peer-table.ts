// The peers of a node and the kernel objects that they ask for, kept from pass to pass, so that one lease among thousands that
// changes costs what one lease costs. What it holds is what `checkPeers` and the backend make of the leases, no more.
import { satisfies } from '../kernel/route/difference.ts';
import { LayeredMap } from '../kernel/route/layered-map.ts';
import type { FdbEntry, Neighbour, Route, RouteState } from '../kernel/route/objects.ts';
import type { Lease } from '../store/lease.ts';
import type { BackendInput, PeerParts, PeerPlan } from './backend/backend.ts';
import { asksForRoutes, peerPlanner } from './backend/choose-backend.ts';
import { isSameBackend } from './backend/unlike-backends.ts';
import type { CarriedPeer } from './carrier/carrier.ts';
import { claim, type PeerClaims, unclaim, whyNotBeside } from './peer-claims.ts';
import { bySubnet, checkPeers, type RejectedPeer, whyNotAlone } from './peers.ts';
import { routesOfOthers } from './route-lookup.ts';
import { sortedPlace } from './sorted-place.ts';

export interface PeerTableInput extends BackendInput {
  /** All that the store has, unchecked, this node's own among them; by the same key from pass to pass. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly actual: RouteState;
}

/** By the keys of a RouteState. */
export interface PeerObjects extends Pick<RouteState, 'neighbours' | 'fdb' | 'routes'> {
  /** By name (carriedName). */
  readonly carried: ReadonlyMap<string, CarriedPeer>;
  /** Those that are believed, by subnet. */
  readonly peers: readonly PeerPlan[];
  readonly rejected: readonly RejectedPeer[];
}

export interface PeerTable {
  /** The same as a new table would say. Looks only at leases that are other objects than before. */
  update(input: PeerTableInput): PeerObjects;
}

export function createPeerTable(): PeerTable {
  let known: KnownPeers | undefined;
  return {
    update(input) {
      const basis = basisOf(input);
      const isSame = known !== undefined && isSameBasis(known.basis, basis);
      if (known === undefined || !isSame || !known.follow(input)) known = new KnownPeers(input, basis);
      return known.objects;
    },
  };
}

/** What the parts of all peers depend on beside their leases. */
interface Basis extends Pick<BackendInput, 'config' | 'own' | 'underlay'> {
  readonly routes: readonly Route[];
}

function basisOf({ config, own, underlay, leases, actual }: PeerTableInput): Basis {
  const asks = asksForRoutes(config) || isMixed(leases, own);
  return { config, own, underlay, routes: asks ? routesOfOthers(actual) : [] };
}

/** What becomes of a peer with another backend depends on the node's routes. */
function isMixed(leases: ReadonlyMap<string, Lease>, { backendType }: Lease): boolean {
  for (const lease of leases.values()) if (!isSameBackend(lease.backendType, backendType)) return true;
  return false;
}

function isSameBasis(one: Basis, other: Basis): boolean {
  return (
    one.config === other.config &&
    isSameLease(one.own, other.own) &&
    isEqual(one.underlay, other.underlay) &&
    isEqual(one.routes, other.routes)
  );
}

function isEqual(one: unknown, other: unknown): boolean {
  return one === other || (satisfies(one, other) && satisfies(other, one));
}

/** All but the end, which moves with every renewal: it only matters among leases that clash. */
const telling = [
  'node',
  'subnet',
  'subnet6',
  'publicIp',
  'publicIp6',
  'backendType',
  'backendData',
  'backendDataV6',
] as const satisfies readonly (keyof Lease)[];

function isSameLease(one: Lease, other: Lease): boolean {
  return one === other || telling.every((name) => isEqual(one[name], other[name]));
}

/** By subnet: the node's lease may still be in the store as it was before it was published anew. */
function isOurs(lease: Lease, own: Lease): boolean {
  if (lease.node !== undefined) return lease.node === own.node;
  return isEqual(lease.subnet, own.subnet) && isEqual(lease.subnet6, own.subnet6);
}

class KnownPeers {
  readonly basis: Basis;
  #leases: ReadonlyMap<string, Lease>;
  /** Accepted ones, by their key in the store. */
  readonly #parts = new Map<string, PeerParts>();
  readonly #claims: PeerClaims;
  readonly #hasClash: boolean;
  readonly #neighbours: LayeredMap<Neighbour>;
  readonly #fdb: LayeredMap<FdbEntry>;
  readonly #routes: LayeredMap<Route>;
  readonly #carried: LayeredMap<CarriedPeer>;
  #peers: readonly PeerPlan[];
  #rejected: readonly RejectedPeer[];
  #objects: PeerObjects | undefined;

  constructor(input: PeerTableInput, basis: Basis) {
    const { leases, own } = input;
    this.basis = basis;
    this.#leases = leases;
    const keys = new Map([...leases].map(([key, lease]) => [lease, key]));
    const others = [...leases.values()].filter((lease) => !isOurs(lease, own));
    const { accepted, rejected, claims, hasClash } = checkPeers(others, input);
    const plan = peerPlanner(input);
    const parts = accepted.map(plan);
    for (const each of parts) this.#parts.set(keys.get(each.plan.lease) ?? '', each);
    this.#claims = claims;
    this.#hasClash = hasClash;
    this.#peers = parts.map((each) => each.plan);
    this.#rejected = rejected;
    this.#neighbours = new LayeredMap(
      new Map(parts.flatMap((each) => keyed(each.plan.keys.neighbours, each.neighbours))),
    );
    this.#fdb = new LayeredMap(new Map(parts.flatMap((each) => keyed(each.plan.keys.fdb, each.fdb))));
    this.#routes = new LayeredMap(
      new Map(parts.flatMap((each) => keyed(each.plan.keys.routes, each.routes))),
    );
    this.#carried = new LayeredMap(
      new Map(parts.flatMap(({ plan, carried = [] }) => keyed(plan.keys.carried ?? [], carried))),
    );
  }

  get objects(): PeerObjects {
    this.#objects ??= {
      peers: this.#peers,
      rejected: this.#rejected,
      neighbours: this.#neighbours.snapshot(),
      fdb: this.#fdb.snapshot(),
      routes: this.#routes.snapshot(),
      carried: this.#carried.snapshot(),
    };
    return this.#objects;
  }

  /** False when it cannot tell without looking at all leases together; then it is of no use any more. */
  follow(input: PeerTableInput): boolean {
    const { leases } = input;
    if (leases === this.#leases) return true;
    if (this.#hasClash) return false;
    const changed = changedKeys(this.#leases, leases);
    for (const key of changed) this.#forget(key);
    this.#leases = leases;
    const plan = peerPlanner(input);
    for (const key of changed) {
      const lease = leases.get(key);
      if (lease === undefined || isOurs(lease, input.own)) continue;
      const reason = whyNotAlone(lease, input);
      if (reason === undefined && whyNotBeside(lease, this.#claims) !== undefined) return false;
      if (reason === undefined) this.#accept(key, plan(lease));
      else this.#rejected = inserted(this.#rejected, { lease, reason });
    }
    if (changed.length > 0) this.#objects = undefined;
    return true;
  }

  #forget(key: string): void {
    const known = this.#leases.get(key);
    if (known === undefined) return;
    this.#rejected = this.#rejected.filter(({ lease }) => !isSameLease(lease, known));
    const parts = this.#parts.get(key);
    if (parts === undefined) return;
    const { plan } = parts;
    this.#parts.delete(key);
    unclaim(plan.lease, this.#claims);
    this.#peers = this.#peers.toSpliced(placeOf(this.#peers, plan.lease), 1);
    for (const each of plan.keys.neighbours) this.#neighbours.delete(each);
    for (const each of plan.keys.fdb) this.#fdb.delete(each);
    for (const each of plan.keys.routes) this.#routes.delete(each);
    for (const each of plan.keys.carried ?? []) this.#carried.delete(each);
  }

  #accept(key: string, parts: PeerParts): void {
    const { plan } = parts;
    this.#parts.set(key, parts);
    claim(plan.lease, this.#claims);
    this.#peers = inserted(this.#peers, plan);
    for (const [name, object] of keyed(plan.keys.neighbours, parts.neighbours))
      this.#neighbours.set(name, object);
    for (const [name, object] of keyed(plan.keys.fdb, parts.fdb)) this.#fdb.set(name, object);
    for (const [name, object] of keyed(plan.keys.routes, parts.routes)) this.#routes.set(name, object);
    for (const [name, object] of keyed(plan.keys.carried ?? [], parts.carried ?? [])) {
      this.#carried.set(name, object);
    }
  }
}

function changedKeys(before: ReadonlyMap<string, Lease>, now: ReadonlyMap<string, Lease>): readonly string[] {
  const keys: string[] = [];
  for (const [key, lease] of now) {
    const known = before.get(key);
    if (known === undefined || !isSameLease(known, lease)) keys.push(key);
  }
  for (const key of before.keys()) if (!now.has(key)) keys.push(key);
  return keys;
}

function keyed<T>(keys: readonly string[], objects: readonly T[]): readonly (readonly [string, T])[] {
  return objects.map((object, i) => [keys[i] ?? '', object]);
}

function placeOf(sorted: readonly { readonly lease: Lease }[], lease: Lease): number {
  return sortedPlace(sorted, (item) => bySubnet(item.lease, lease) < 0);
}

function inserted<T extends { readonly lease: Lease }>(sorted: readonly T[], item: T): readonly T[] {
  return sorted.toSpliced(placeOf(sorted, item.lease), 0, item);
}
